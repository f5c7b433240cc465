/**
 * Messages that come by custody and cannot stay: they end here, as dead letters with the reason, and their streams go on over them.
 */
import { hasCode } from '../errors.ts';
import { HOP_COUNT_MAX } from '../limits.ts';
import type { EndingClass } from '../message/classes.ts';
import { identityText, type StreamKey } from '../message/identity.ts';
import type { Ending } from '../message/message.ts';
import { countedTo } from './entering.ts';
import type { Intake, NewBody } from './intake.ts';
import { contentOf } from './letter-content.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { endNumber } from './outgoing.ts';
import { NOTHING, type Planned } from './planned.ts';
import type { MessageItem } from './session.ts';

/** What this node cannot take, now or ever, not even as a dead letter: it never moves a cursor. */
export interface Refusal {
  readonly refused: EndingClass;
}

export class ArrivalEndings {
  readonly #store: NodeStore;
  readonly #intake: Intake;

  constructor(store: NodeStore, intake: Intake) {
    this.#store = store;
    this.#intake = intake;
  }

  /** Takes an item nobody can take into `$dead`; the stream goes on over it. What is too large for that is refused: its sender has it. */
  end(
    what: { handle: number; key: StreamKey; item: MessageItem },
    ending: EndingClass,
    changes: readonly MetaChange[],
  ): Planned | Refusal | undefined {
    const { handle, key, item } = what;
    const { self, ring } = this.#store;
    if (item.envelope.length > ring.bodyBytesMax) return { refused: ending };
    if (!ring.hasRoomFor(item.envelope.length)) return undefined;
    const previous = identityText({ ...key, number: item.number });
    const reason = reasonOf(ending, key);
    const local = this.#store.isLocal(key.destination);
    const content = contentOf(item.envelope);
    const isWanted = content.properties.deadLetter !== 'off';
    const letter = { ...content, previous };
    const dead = isWanted ? this.#letterOf(letter, { class: ending, node: self.name, reason }) : NOTHING;
    if (dead === undefined) return { refused: ending };
    // A gap for a node that nobody can reach is told to nobody: without a letter the account here is all that speaks of it.
    const losses = local || !isWanted ? [{ handle, class: ending, count: 1 }] : [];
    const { changes: noted, settle: settleNoted } = this.#store.planLosses(losses);
    const gap = local ? undefined : this.#gap(handle, key, { number: item.number, class: ending });
    const now = local ? (this.#store.destinations.get(handle)?.next ?? 1) : 1;
    const counted = countedTo(this.#store, { handle, key }, { endsHere: local, next: Math.max(now, item.number + 1) });
    const settle = () => {
      dead.settle();
      settleNoted();
      if (gap !== undefined) this.#store.draft.note(gap.settle());
      counted.settle();
    };
    const planned = {
      puts: dead.puts,
      acks: dead.acks,
      changes: [...changes, ...dead.changes, ...noted, ...(gap ? [gap.change] : []), counted.change],
      settle,
    };
    if (ending === 'CORRUPT' || ending === 'CLONED') return planned;
    const asked = { ...content.properties, identity: { ...key, number: item.number } };
    return this.#intake.told(planned, asked, { class: ending, where: 'before its queue' });
  }

  /** What can have no letter either, and is refused by nobody since it began here: the account alone. */
  lost(handle: number, key: StreamKey, { number, class: ending }: { number: number; class: EndingClass }): Planned {
    const local = this.#store.isLocal(key.destination);
    const account = this.#store.planLosses([{ handle, class: ending, count: 1 }]);
    const gap = local ? undefined : this.#gap(handle, key, { number, class: ending });
    const counted = countedTo(this.#store, { handle, key }, { endsHere: local, next: number + 1 });
    const settle = (): void => {
      account.settle();
      if (gap !== undefined) this.#store.draft.note(gap.settle());
      counted.settle();
    };
    return { puts: [], acks: [], changes: [...account.changes, ...(gap ? [gap.change] : []), counted.change], settle };
  }

  /** A gap in a stream that leaves here, noted with `settle`. */
  #gap(handle: number, key: StreamKey, { number, class: ending }: { number: number; class: EndingClass }) {
    const stream = this.#store.outgoing.open(handle, key);
    return endNumber(stream, { from: number, to: number, class: ending, node: this.#store.self.name });
  }

  /** A dead letter, or undefined when it is too large for one. */
  #letterOf(content: NewBody, ending: Ending): Planned | undefined {
    try {
      return this.#intake.beginDead(content, ending);
    } catch (error) {
      if (hasCode(error, 'MESSAGE_TOO_LARGE')) return undefined;
      throw error;
    }
  }
}

function reasonOf(ending: EndingClass, key: StreamKey): string {
  if (ending === 'CORRUPT') return 'the envelope does not decode';
  if (ending === 'CLONED') return `its number was given out twice by ${key.origin}`;
  if (ending === 'TOO_LARGE') return `larger than all that ${key.destination} may hold`;
  if (ending === 'NOT_REPLAYED') return `it waited for a connection, and ${key.destination} takes none that did`;
  if (ending === 'HOP_COUNT_EXCEEDED') return `passed ${HOP_COUNT_MAX} nodes`;
  if (ending === 'REACH_QUEUE_TIMEOUT') return 'its time to reach the queue was over when it came';
  if (ending === 'BAD_DST_Q') return `no queue ${key.destination} here`;
  return ending === 'Q_EXCEED_QUOTA' ? `${key.destination} is full` : `not let in at ${key.destination}`;
}
