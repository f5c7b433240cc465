/**
 * Desks, and parts of desks, that not every node has. Who composes a node gives it those it needs (all-desks.ts), and what is not given is not part of it:
 * the small profile (embedded.ts) has none of them.
 */
import { RingmailError } from '../errors.ts';
import type { Call } from './calls.ts';
import type { CommitDesk } from './commit-desk.ts';
import type { Handles } from './handles.ts';
import type { HoleDesk } from './hole-desk.ts';
import type { RoutesOf } from './kept-routes.ts';
import type { LedgerDesk } from './ledger-desk.ts';
import type { LetterDesk } from './letter-desk.ts';
import type { ProbeDesk } from './probe-desk.ts';
import type { QueueDesk } from './queue-desk.ts';
import type { Repeatable, Repeats } from './repeats.ts';

/** Anything with the public members of a class, which is `keyof` of it. */
type Like<T> = Pick<T, keyof T>;
type Maker<T extends new (...parts: never[]) => unknown> = new (...parts: ConstructorParameters<T>) => Like<InstanceType<T>>;

export interface MoreDesks {
  readonly CommitDesk: Maker<typeof CommitDesk>;
  readonly QueueDesk: Maker<typeof QueueDesk>;
  readonly LedgerDesk: Maker<typeof LedgerDesk>;
  readonly LetterDesk: Maker<typeof LetterDesk>;
  readonly HoleDesk: Maker<typeof HoleDesk>;
  readonly ProbeDesk: Maker<typeof ProbeDesk>;
  readonly Handles: Maker<typeof Handles>;
  readonly Repeats: Maker<typeof Repeats>;
  /** Undefined: no routes, whatever the configuration says. */
  readonly routesOf: RoutesOf | undefined;
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

/** Nothing is ever opened. */
class NoHandles {
  /** @throws VERB_ABSENT */
  open(): string {
    throw new RingmailError('VERB_ABSENT', { verb: 'open' });
  }

  /** @throws HANDLE_UNKNOWN */
  close(handle: string): void {
    throw new RingmailError('HANDLE_UNKNOWN', { handle });
  }

  /** @throws HANDLE_UNKNOWN */
  check(_queue: string, _access: string, handle: string | undefined): void {
    if (handle !== undefined) this.close(handle);
  }

  /** @throws HANDLE_UNKNOWN */
  prolong(handle: string): void {
    this.close(handle);
  }
}

/** No request is remembered: one that counts on it is refused, or its repeat would be stored twice. */
class NoRepeats {
  /** @throws PROPERTY_INVALID */
  answers(_token: number, { by, sendKey }: Repeatable): boolean {
    const property = by !== undefined ? 'by' : 'sendKey';
    if (by === undefined && sendKey === undefined) return false;
    throw new RingmailError('PROPERTY_INVALID', { property, reason: 'this node remembers no requests' });
  }

  plan(): [] {
    return [];
  }

  forget(): [] {
    return [];
  }

  planned(): () => void {
    return () => {};
  }

  retire(): void {}
}

export const NO_DESKS: MoreDesks = {
  CommitDesk: NoDesk,
  QueueDesk: NoDesk,
  LedgerDesk: NoDesk,
  LetterDesk: NoDesk,
  HoleDesk: NoDesk,
  ProbeDesk: NoDesk,
  Handles: NoHandles,
  Repeats: NoRepeats,
  routesOf: undefined,
};
