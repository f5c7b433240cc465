/**
 * Desks that not every node has. Who composes a node gives it those it needs (all-desks.ts), and what is not given is not part of it:
 * the small profile (embedded.ts) has none of them.
 */
import { RingmailError } from '../errors.ts';
import type { Call } from './calls.ts';
import type { CommitDesk } from './commit-desk.ts';
import type { LetterDesk } from './letter-desk.ts';
import type { QueueDesk } from './queue-desk.ts';

/** Anything with the public members of a class, which is `keyof` of it. */
type Like<T> = Pick<T, keyof T>;
type Maker<T extends new (...parts: never[]) => unknown> = new (...parts: ConstructorParameters<T>) => Like<InstanceType<T>>;

export interface MoreDesks {
  readonly CommitDesk: Maker<typeof CommitDesk>;
  readonly QueueDesk: Maker<typeof QueueDesk>;
  readonly LetterDesk: Maker<typeof LetterDesk>;
}

/** In the place of a desk that is not there: who asks it is told so. */
class NoDesk {
  readonly wakeAtMs = undefined;

  /** @throws VERB_ABSENT */
  call(_token: number, { verb }: Call): void {
    throw new RingmailError('VERB_ABSENT', { verb });
  }

  /** @throws VERB_ABSENT */
  redrive(token: number, call: Call): void {
    this.call(token, call);
  }

  pump(): void {}

  cancel(): void {}

  close(): void {}
}

export const NO_DESKS: MoreDesks = { CommitDesk: NoDesk, QueueDesk: NoDesk, LetterDesk: NoDesk };
