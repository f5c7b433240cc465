/**
 * Messages that come by custody and cannot stay: they end here, as dead letters with the reason, and their streams go on over them.
 */
import { invariant } from '../assert.ts';
import { hasCode } from '../errors.ts';
import { HOP_COUNT_MAX } from '../limits.ts';
import type { EndingClass } from '../message/classes.ts';
import { type Identity, identityText, type StreamKey } from '../message/identity.ts';
import type { Ending } from '../message/message.ts';
import { lossOf } from './accounts.ts';
import { planEnding, planLosses } from './at-destination.ts';
import { countedTo } from './entering.ts';
import type { Intake, NewBody } from './intake.ts';
import { contentOf } from './letter-content.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { endNumber } from './outgoing.ts';
import { joined, NOTHING, type Planned } from './planned.ts';
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
    what: { handle: number; key: StreamKey; item: MessageItem; carried?: Identity | undefined },
    ending: EndingClass,
    changes: readonly MetaChange[],
  ): Planned | Refusal | undefined {
    const { key, item } = what;
    const { self, ring } = this.#store;
    if (item.envelope.length > ring.bodyBytesMax) return { refused: ending };
    if (!ring.hasRoomFor(item.envelope.length)) return undefined;
    const identity = what.carried ?? { ...key, number: item.number };
    const previous = identityText(identity);
    const reason = reasonOf(ending, key);
    const local = this.#store.isLocal(key.destination);
    const content = contentOf(item.envelope);
    const isWanted = content.properties.deadLetter !== 'off';
    const letter = { ...content, previous };
    const dead = isWanted ? this.#letterOf(letter, { class: ending, node: self.name, reason }) : NOTHING;
    if (dead === undefined) return { refused: ending };
    const ended = local ? this.#atDestination(what, ending) : this.#onTheWay(what, ending, isWanted ? 'lettered' : 'bare');
    if (ended === 'too-many') return undefined;
    const planned = joined({ ...NOTHING, changes }, dead, ended);
    if (ending === 'CORRUPT' || ending === 'CLONED') return planned;
    const asked = { ...content.properties, identity };
    return this.#intake.told(planned, asked, { class: ending, where: 'before its queue' });
  }

  /**
   * One that this node handed on before, and that came back after too many nodes: its way leads in a circle. Its place in the sequence is
   * gone, so the letter and the account here are all that speaks of it.
   */
  endReturned(
    { handle, key, item }: { handle: number; key: StreamKey; item: MessageItem },
    changes: readonly MetaChange[],
  ): Planned {
    const ending = 'HOP_COUNT_EXCEEDED';
    const content = contentOf(item.envelope);
    const letter = { ...content, previous: identityText({ ...key, number: item.number }) };
    const isWanted = content.properties.deadLetter !== 'off';
    const dead = isWanted
      ? this.#letterOf(letter, { class: ending, node: this.#store.self.name, reason: reasonOf(ending, key) })
      : NOTHING;
    return joined({ ...NOTHING, changes }, dead ?? NOTHING, planLosses(this.#store, [{ handle, class: ending, count: 1 }]));
  }

  /** A number that two messages bear stays whose it is, or whose it will be. */
  #atDestination({ handle, item }: { handle: number; item: MessageItem }, ending: EndingClass): Planned | 'too-many' {
    const ranges = [{ from: item.number, to: item.number }];
    if (ending === 'CLONED') return planLosses(this.#store, [lossOf(handle, ending, ranges)]);
    return planEnding(this.#store, handle, { ranges, class: ending });
  }

  /** What can have no letter either, and is refused by nobody since it began here: the account alone. */
  lost(what: { handle: number; key: StreamKey; item: MessageItem }, ending: EndingClass): Planned {
    const ended = this.#store.isLocal(what.key.destination)
      ? this.#atDestination(what, ending)
      : this.#onTheWay(what, ending, 'bare');
    invariant(ended !== 'too-many', 'the next number of a stream opens no hole');
    return ended;
  }

  /**
   * A gap in a stream that leaves here. One for a node that nobody can reach is told to nobody: without a letter the account here is all
   * that speaks of it.
   */
  #onTheWay(
    { handle, key, item }: { handle: number; key: StreamKey; item: MessageItem },
    ending: EndingClass,
    letter: 'lettered' | 'bare',
  ): Planned {
    const { number } = item;
    const stream = this.#store.outgoing.open(handle, key);
    const range = { from: number, to: number };
    const gap = endNumber(stream, { ...range, class: ending, node: this.#store.self.name });
    const counted = countedTo(this.#store, { handle, key }, number + 1);
    const account = planLosses(this.#store, letter === 'bare' ? [lossOf(handle, ending, [range])] : []);
    const settle = (): void => {
      this.#store.draft.note(gap.settle());
      counted.settle();
    };
    return joined(account, { ...NOTHING, changes: [gap.change, counted.change], settle });
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
