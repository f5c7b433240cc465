/**
 * Desks, and other parts of a node, that not every node has. Who composes a node gives it those it needs (all-desks.ts), and what is not
 * given is not part of it: the small profile (embedded.ts) has none of them.
 */
import { metaDelete } from '../custody/meta-keys.ts';
import { NO_NEIGHBOURS } from '../custody/no-neighbours.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { Rehoming } from '../custody/rehoming.ts';
import type { StoreParts } from '../custody/store-parts.ts';
import { RingmailError } from '../errors.ts';
import type { Like, Maker } from '../part.ts';
import type { Queue } from '../queue/queues.ts';
import type { Selector } from '../queue/selector.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { NoExpress } from '../ring/no-express.ts';
import type { RingOptions } from '../ring/ring.ts';
import type { Call, Health } from './calls.ts';
import type { CommitDesk } from './commit-desk.ts';
import type { ExpressSends } from './express-sends.ts';
import type { Handles } from './handles.ts';
import { type HealthWatch, ownCauses } from './health.ts';
import type { HoleDesk } from './hole-desk.ts';
import type { RoutesOf } from './kept-routes.ts';
import type { LedgerDesk } from './ledger-desk.ts';
import type { LetterDesk } from './letter-desk.ts';
import type { ProbeDesk } from './probe-desk.ts';
import type { QueueDesk } from './queue-desk.ts';
import type { Repeatable, Repeats } from './repeats.ts';
import type { Seeking } from './seeking.ts';
import type { Ways } from './way-setup.ts';

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
  readonly storeParts: StoreParts;
  readonly Rehoming: Maker<typeof Rehoming>;
  readonly HealthWatch: Maker<typeof HealthWatch>;
  readonly ways: Ways;
  readonly Seeking: Maker<typeof Seeking>;
  readonly ExpressSends: Maker<typeof ExpressSends>;
  readonly Express: RingOptions['Express'];
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

/**
 * A new incarnation begins at once. What lies in streams of the old one is for other nodes: the next node that has any moves it.
 */
class NewLife implements Like<Rehoming> {
  readonly movedCount = 0;
  isDone = false;

  constructor({ store, random, reason }: ConstructorParameters<typeof Rehoming>[0]) {
    const isNew = reason === 'new-incarnation';
    if (isNew) store.newIncarnation(random, () => {});
    store.commit({ metas: isNew ? [metaDelete('forked')] : [] }, (outcome) => {
      this.isDone = outcome === 'durable';
    });
  }

  pump(): void {}
}

/** Nothing waits for anybody else. */
class OwnHealth implements Like<HealthWatch> {
  readonly #store: NodeStore;

  constructor(store: NodeStore) {
    this.#store = store;
  }

  pump(): void {}

  health(): Health {
    const causes = ownCauses(this.#store);
    return { status: causes.length === 0 ? 'green' : 'red', causes };
  }
}

/** Messages are handed out and shown in order, the first one first. */
class InOrder implements Like<Seeking> {
  /** @throws PROPERTY_INVALID */
  check({ by }: Selector): void {
    if (by === 'first') return;
    throw new RingmailError('PROPERTY_INVALID', { property: 'select', reason: 'this node hands out in order alone' });
  }

  place({ ready }: Queue): number {
    return [...ready].reverse().find(({ head }) => head !== NO_SLOT)?.head ?? NO_SLOT;
  }

  pump(): 'idle' {
    return 'idle';
  }

  isLooking(): boolean {
    return false;
  }

  removed(): void {}

  nameOf(): undefined {}
}

/** All that is sent is stored: who is content with less has more. */
class NoExpressSends implements Like<ExpressSends> {
  takes(): boolean {
    return false;
  }

  begin(): void {}

  close(): void {}
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
  storeParts: NO_NEIGHBOURS,
  Rehoming: NewLife,
  HealthWatch: OwnHealth,
  ways: { of: () => [], remembered: () => [] },
  Seeking: InOrder,
  ExpressSends: NoExpressSends,
  Express: NoExpress,
};
