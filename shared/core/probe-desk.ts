/**
 * Questions that go along the way of messages: whether a node can be reached, and where a message is (docs/routes.md, section 8).
 *
 *   asker                                                      node on the way              node that is asked
 *     ping {probe} ─────────────────────────────────────────▶ passes it ─────────────────▶
 *     ◀──────────────── probed {probe, at: passed, hops} ─────┘      ◀── probed {at: reached, hops} ──┘
 *
 *     trace {probe, asker, stream, number, left} ──▶ origin of the message
 *     ◀── probed {at: handed-over, next} ────────────┘ └── trace {left - 1} ──▶ next node, and so on to who has it
 *
 * All of it are words between nodes: durable, so that a question finds its way however long that takes, and answers that nobody waits
 * for any more are consumed like others. Who waits does so in memory, and is answered when the last word is in, or when his time is over.
 */

import { toHex } from '../bytes.ts';
import { beginWord, type HeardWord, streamInWord } from '../custody/node-words.ts';
import { NOTHING, type Planned } from '../custody/planned.ts';
import { earliest } from '../earliest.ts';
import { RingmailError } from '../errors.ts';
import { HOP_COUNT_MAX, PROBE_ANSWER_COUNT_MAX, PROBE_COUNT_MAX } from '../limits.ts';
import { isName } from '../message/address.ts';
import type { CborInput } from '../message/cbor.ts';
import { type Identity, parseIdentity } from '../message/identity.ts';
import type { Call, ProbeAnswer } from './calls.ts';
import { boundedMs, type DeskParts } from './desk-shell.ts';
import { isPlace, type Whereabouts, whereabouts } from './whereabouts.ts';

type Probe = Call & { readonly verb: 'probe' };

interface Asked {
  readonly token: number;
  readonly askedMs: number;
  readonly deadlineMs: number;
  readonly answers: ProbeAnswer[];
}

export class ProbeDesk {
  readonly #parts: DeskParts;
  /** By the name of the probe. */
  readonly #asked = new Map<string, Asked>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
    const { words } = parts.store;
    words.on('ping', (word) => this.#pinged(word, 'reached'));
    words.onPassing('ping', (word) => this.#pinged(word, 'passed'));
    words.on('trace', (word) => this.#traced(word));
    words.on('probed', (word) => this.#probed(word));
  }

  /** @throws NAME_INVALID, PROPERTY_INVALID, ROUTE_NOT_FOUND, QUEUE_FULL, BUSY; then nothing was asked */
  call(token: number, call: Probe): void {
    const { store, shell } = this.#parts;
    const probe = toHex(shell.random.bytes(8));
    const askedMs = store.nowMs;
    if (this.#asked.size >= PROBE_COUNT_MAX)
      throw new RingmailError('BUSY', { pending: this.#asked.size, pendingMax: PROBE_COUNT_MAX });
    const asked: Asked = { token, askedMs, deadlineMs: askedMs + boundedMs(call.waitMs), answers: [] };
    if (call.about === 'node') this.#ping(probe, asked, call.node);
    else this.#trace(probe, asked, call.identity);
  }

  cancel(token: number): void {
    for (const [probe, asked] of this.#asked) if (asked.token === token) this.#asked.delete(probe);
  }

  /** Answers who has waited long enough with what came. */
  pump(): void {
    for (const [probe, { deadlineMs }] of this.#asked) if (deadlineMs <= this.#parts.store.nowMs) this.#finish(probe);
  }

  close(): void {
    for (const probe of this.#asked.keys()) this.#finish(probe);
  }

  get wakeAtMs(): number | undefined {
    return earliest(...[...this.#asked.values()].map(({ deadlineMs }) => deadlineMs));
  }

  #ping(probe: string, asked: Asked, node: string): void {
    const { self } = this.#parts.store;
    if (!isName(node)) throw new RingmailError('NAME_INVALID', { name: node, reason: 'node: [a-z0-9][a-z0-9_-]{0,62}' });
    if (node === self.name) asked.answers.push({ node, hops: 0, afterMs: 0, at: 'reached' });
    else this.#say(node, 'ping', { probe });
    this.#asked.set(probe, asked);
    if (node === self.name) this.#finish(probe);
  }

  #trace(probe: string, asked: Asked, text: string): void {
    const { self } = this.#parts.store;
    const identity = parseIdentity(text);
    if (identity === undefined) throw new RingmailError('PROPERTY_INVALID', { property: 'identity', reason: 'not an identity' });
    const here = this.#whereabouts(identity);
    asked.answers.push({ node: self.name, hops: 0, afterMs: 0, ...here });
    this.#asked.set(probe, asked);
    if (isPlace(here.at)) return this.#finish(probe);
    const first = here.at === 'handed-over' ? here.next : identity.origin;
    if (first === undefined || first === self.name || first === '') return this.#finish(probe);
    const { number, ...stream } = identity;
    const question = { probe, asker: self.name, stream: streamInWord(stream), number, left: HOP_COUNT_MAX };
    try {
      this.#say(first, 'trace', question);
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#finish(probe);
    }
  }

  /** Somebody asks whether the word gets here. */
  #pinged({ fields, identity, hops }: HeardWord, at: 'reached' | 'passed'): Planned | undefined {
    const probe = fields.text('probe', PROBE_LENGTH_MAX);
    return probe === undefined ? undefined : this.#answer(identity.origin, { probe, at, hops });
  }

  /** Somebody asks where a message is: said to him, and the question goes where the message went. */
  #traced({ fields }: HeardWord): Planned | undefined {
    const probe = fields.text('probe', PROBE_LENGTH_MAX);
    const asker = fields.name('asker');
    const stream = fields.stream('stream');
    const number = fields.number('number');
    const left = fields.whole('left');
    if (probe === undefined || asker === undefined || stream === undefined || number === undefined || left === undefined)
      return undefined;
    const here = this.#whereabouts({ ...stream, number });
    const { at, next, losses } = here;
    const hops = Math.max(0, HOP_COUNT_MAX - left);
    const said: Record<string, CborInput> = { probe, at, hops };
    if (next !== undefined) said.next = next;
    if (losses !== undefined) said.losses = [...losses];
    const answered = this.#answer(asker, said);
    const goesOn = at === 'handed-over' && next !== undefined && next !== asker && next !== '' && left > 0;
    if (!goesOn) return answered;
    const on = { probe, asker, stream: streamInWord(stream), number, left: left - 1 };
    const passedOn = this.#worded(next, 'trace', on);
    return {
      puts: [...answered.puts, ...passedOn.puts],
      acks: [],
      changes: [...answered.changes, ...passedOn.changes],
      settle: () => {
        answered.settle();
        passedOn.settle();
      },
    };
  }

  /** An answer to a question of ours. */
  #probed({ fields, identity }: HeardWord): Planned | undefined {
    const probe = fields.text('probe', PROBE_LENGTH_MAX);
    const at = fields.text('at', PROBE_LENGTH_MAX);
    const hops = fields.whole('hops');
    if (probe === undefined || at === undefined || hops === undefined || !isAnswer(at)) return undefined;
    const next = fields.name('next');
    const losses = fields.list('losses', PROBE_ANSWER_COUNT_MAX)?.filter((loss) => typeof loss === 'string');
    const settle = (): void => {
      const asked = this.#asked.get(probe);
      if (asked === undefined || asked.answers.length >= PROBE_ANSWER_COUNT_MAX) return;
      const afterMs = this.#parts.store.nowMs - asked.askedMs;
      asked.answers.push({ node: identity.origin, hops, afterMs, at, ...(next && { next }), ...(losses && { losses }) });
      if (at === 'reached' || isPlace(at)) this.#finish(probe);
    };
    return { ...NOTHING, settle };
  }

  #whereabouts(identity: Identity): Whereabouts {
    return whereabouts(this.#parts.store, identity, this.#parts.shell.neighbourOn);
  }

  /** A word of its own, in a frame of its own. @throws as `beginWord` */
  #say(node: string, kind: string, fields: Readonly<Record<string, CborInput>>): void {
    const { store, intake } = this.#parts;
    const { puts, acks, changes, settle } = beginWord(intake, node, { kind, fields });
    store.commit({ puts, acks, metas: changes }, () => {});
    settle();
  }

  #answer(asker: string, fields: Readonly<Record<string, CborInput>>): Planned {
    return this.#worded(asker, 'probed', fields);
  }

  /** Part of the frame in which the question is consumed. Where there is no way, or no room, it is left out: nobody loses by it. */
  #worded(node: string, kind: string, fields: Readonly<Record<string, CborInput>>): Planned {
    const { store, intake } = this.#parts;
    if (node === store.self.name) return NOTHING;
    try {
      return beginWord(intake, node, { kind, fields });
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      store.leftOut.words += 1;
      return NOTHING;
    }
  }

  #finish(probe: string): void {
    const asked = this.#asked.get(probe);
    if (asked === undefined) return;
    this.#asked.delete(probe);
    this.#parts.shell.answer(asked.token, { kind: 'probed', answers: asked.answers });
  }
}

/** Characters of a text in a word of these kinds. */
const PROBE_LENGTH_MAX = 32;
const ANSWERS: readonly ProbeAnswer['at'][] = [
  'passed',
  'reached',
  'ready',
  'leased',
  'delayed',
  'held',
  'on-its-way',
  'handed-over',
  'received',
  'ended',
  'absent',
  'unknown',
];

function isAnswer(text: string): text is ProbeAnswer['at'] {
  return (ANSWERS as readonly string[]).includes(text);
}
