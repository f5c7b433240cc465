/**
 * What a node says of itself after each reconnect, to its central (docs/routes.md, section 8): as far as it has counted its streams that
 * end there, and what its own queues lost, of which no gap tells anybody.
 *
 *   session with a neighbour above ──something to say that was not said──▶ `digest` to the central, at most one in DIGEST_EVERY_MS
 *
 *   streams    [[queue of the central, priority, next], ...]               the newest, at most DIGEST_STREAM_COUNT_MAX
 *   accounts   [[origin, incarnation, destination, priority, class, count], ...]   totals, so that a repeat changes nothing
 *   more       losses in accounts that found no place
 *
 * All of it fits into DIGEST_BYTES_MAX. What was said last is in memory: a node that opens anew says it once more.
 */
import { RingmailError } from '../errors.ts';
import { DIGEST_BYTES_MAX, DIGEST_EVERY_MS, DIGEST_STREAM_COUNT_MAX } from '../limits.ts';
import { NODE_QUEUE, parseAddress } from '../message/address.ts';
import { type CborInput, encodeCbor } from '../message/cbor.ts';
import type { Intake } from './intake.ts';
import type { NodeStore } from './node-store.ts';
import { beginWord, streamInWord } from './node-words.ts';
import { batchOf } from './planned.ts';

export const DIGEST = 'digest';

/** Of the names, bytes that go into a list: the rest is for the heads of the word, and of the value that its reader keeps. */
const STREAM_BYTES_MAX = DIGEST_BYTES_MAX / 2;
const ACCOUNT_BYTES_MAX = DIGEST_BYTES_MAX / 2 - 256;

export interface DigestsOptions {
  readonly store: NodeStore;
  readonly intake: Intake;
  /** Name of the node that is told. */
  readonly central: string;
  /** Names the session by which messages for the central leave now; undefined while there is none. */
  readonly session: () => string | undefined;
}

export class Digests {
  readonly #options: DigestsOptions;
  /** The session in which all was said that there was to say. */
  #saidIn: string | undefined;
  #said = '';
  #nextMs = 0;

  constructor(options: DigestsOptions) {
    this.#options = options;
  }

  /** Says what is to be said. Called after every step. */
  pump(): void {
    const { store, central, session } = this.#options;
    const now = central === store.self.name ? undefined : session();
    if (now === undefined) this.#saidIn = undefined;
    if (now === undefined || now === this.#saidIn || store.ring.state !== 'serving' || store.nowMs < this.#nextMs) return;
    const fields = digestOf(store, central);
    const text = fields === undefined ? '' : JSON.stringify(fields);
    if (fields !== undefined && text !== this.#said) {
      this.#nextMs = store.nowMs + DIGEST_EVERY_MS;
      if (!this.#say(fields)) return;
      this.#said = text;
    }
    this.#saidIn = now;
  }

  get wakeAtMs(): number | undefined {
    const { store, session } = this.#options;
    return this.#nextMs > store.nowMs && session() !== this.#saidIn ? this.#nextMs : undefined;
  }

  /** False where there is no room: again in a while. */
  #say(fields: Readonly<Record<string, CborInput>>): boolean {
    const { store, intake, central } = this.#options;
    try {
      const planned = beginWord(intake, central, { kind: DIGEST, fields });
      store.commit(batchOf(planned), () => {});
      planned.settle();
      return true;
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      return false;
    }
  }
}

/** Undefined: there is nothing to say. */
export function digestOf(store: NodeStore, central: string): Readonly<Record<string, CborInput>> | undefined {
  const { self } = store;
  const streams = listed(streamsTo(store, central), STREAM_BYTES_MAX, DIGEST_STREAM_COUNT_MAX);
  const losses = store.accounts().filter(({ stream }) => {
    const isOld = stream.origin === self.name && stream.incarnation !== self.incarnation;
    return isOld || store.isLocal(stream.destination);
  });
  losses.sort((a, b) => b.count - a.count);
  const accounts = listed(
    losses.map(({ stream, class: ending, count }) => [...streamInWord(stream), ending, count]),
    ACCOUNT_BYTES_MAX,
    DIGEST_STREAM_COUNT_MAX,
  );
  const more = losses.slice(accounts.length).reduce((sum, { count }) => sum + count, 0);
  if (streams.length + accounts.length === 0) return undefined;
  return { incarnation: self.incarnation, streams, accounts, more };
}

/** The newest first. Words are not among them: this one would be. */
function streamsTo({ outgoing, self }: NodeStore, central: string): CborInput[] {
  const found: CborInput[] = [];
  for (const { key, node, next } of outgoing) {
    const { queue } = parseAddress(key.destination, '');
    const isOwn = key.origin === self.name && key.incarnation === self.incarnation;
    if (isOwn && node === central && queue !== NODE_QUEUE && next > 1) found.push([queue, key.priority, next]);
  }
  return found.reverse();
}

function listed(items: readonly CborInput[], bytesMax: number, countMax: number): CborInput[] {
  const taken: CborInput[] = [];
  let bytes = 0;
  for (const item of items.slice(0, countMax)) {
    bytes += encodeCbor(item).length;
    if (bytes > bytesMax) break;
    taken.push(item);
  }
  return taken;
}
