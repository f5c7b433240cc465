/**
 * What a writer told the world, line by line, and what a ring may hold after the writer or its machine died.
 *
 *   b <k> <puts> <acks> <padBytes>   batch k is about to be handed over: puts `number:bytes`, acks `number`, `-` for none
 *   d <k>                            batch k was called durable
 *   n <word> …                       a note: opened, stopped, a step of making a file
 *
 * Batches become durable in their order, each whole or not at all. So of the batches of a life the ring holds the first j, for one j
 * that is not below the last durable one; META `count` says which. Everything else follows and is compared: which messages, of what
 * length, every byte of them, and META that is replaced by every batch.
 *
 * The ledger is a file outside of what dies: what a process has written there outlives its SIGKILL, and a stopped process adds nothing.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { stream } from '../../hardware-sim/random.ts';
import { equalBytes } from '../../shared/bytes.ts';
import type { Batch, Ring } from '../../shared/ring/ring.ts';
import type { RealRing } from './real-ring.ts';

export interface LedgerBatch {
  readonly k: number;
  readonly puts: readonly { readonly number: number; readonly bytes: number }[];
  readonly acks: readonly number[];
  readonly padBytes: number;
}

export class Ledger {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  begun({ k, puts, acks, padBytes }: LedgerBatch): void {
    const putList = puts.map(({ number, bytes }) => `${number}:${bytes}`).join(',') || '-';
    this.#line(`b ${k} ${putList} ${acks.join(',') || '-'} ${padBytes}`);
  }

  durable(k: number): void {
    this.#line(`d ${k}`);
  }

  note(text: string): void {
    this.#line(`n ${text}`);
  }

  #line(text: string): void {
    appendFileSync(this.#path, `${text}\n`);
  }
}

export interface Told {
  readonly batches: readonly LedgerBatch[];
  /** The last batch that was called durable; 0: none. */
  readonly durable: number;
  readonly notes: readonly string[];
}

/** What the ledger at `path` says by now. */
export function readLedger(path: string): Told {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
  const batches: LedgerBatch[] = [];
  const notes: string[] = [];
  let durable = 0;
  for (const line of lines) {
    const [kind, k = '', puts = '-', acks = '-', padBytes = '0'] = line.split(' ');
    if (kind === 'n') notes.push(line.slice(2));
    else if (kind === 'd') durable = Math.max(durable, Number(k));
    else
      batches.push({ k: Number(k), puts: listed(puts).map(putOf), acks: listed(acks).map(Number), padBytes: Number(padBytes) });
  }
  return { batches, durable, notes };
}

function listed(text: string): string[] {
  return text === '-' ? [] : text.split(',');
}

function putOf(text: string): { number: number; bytes: number } {
  const [number, bytes] = text.split(':').map(Number);
  return { number: number ?? Number.NaN, bytes: bytes ?? Number.NaN };
}

/** What a ring holds. Immutable. */
export interface Contents {
  readonly count: number;
  readonly padBytes: number;
  /** Length and writer of each message, by number. */
  readonly messages: ReadonlyMap<number, { readonly bytes: number; readonly life: string }>;
}

export const NOTHING: Contents = { count: 0, padBytes: 0, messages: new Map() };

/** The body of message `number`: nobody else's. */
export function bodyOf(life: string, number: number, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  const random = stream(life, `${number}`);
  const [a, b] = [random.uint32() & 0xff, random.uint32() | 1];
  for (let i = 0; i < bytes; i++) body[i] = (a + Math.imul(i, b)) >>> 7;
  return body;
}

/** Batch `k` as the ring takes it. `ids`: of the messages it acknowledges. META says which one it was, and has a length of its own. */
export function batchOf(life: string, { k, puts, padBytes }: LedgerBatch, ids: readonly number[]): Batch {
  const fields = { queue: 1, stream: 1, epochCounter: 1, epochRandom: 1, deliveryCount: 0, expiresAtMs: 0, notBeforeMs: 0 };
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, k, true);
  return {
    puts: puts.map(({ number, bytes }) => ({ ...fields, priority: number % 8, number, body: bodyOf(life, number, bytes) })),
    acks: ids.map((id) => ({ id, reason: 'acknowledged' })),
    metas: [
      { key: 'count', value: count },
      { key: 'pad', value: bodyOf(life, -k, padBytes) },
    ],
  };
}

/** The last batch that a ring holds; 0: none. */
export function lastBatchIn(ring: Ring): number {
  const count = ring.metas.get('count');
  return count === undefined ? 0 : new DataView(count.buffer, count.byteOffset).getUint32(0, true);
}

export interface Judgement {
  /** Empty when every promise was kept. */
  readonly problems: readonly string[];
  /** What the ring holds, for the next life. */
  readonly contents: Contents;
}

/** Compares a ring with what its last writer, `life`, told, who began with `before`. */
export async function judge(real: RealRing, before: Contents, { life, told }: { life: string; told: Told }): Promise<Judgement> {
  const problems: string[] = [];
  const { ring } = real;
  const count = lastBatchIn(ring);
  const contents = contentsAfter(before, { life, told, count });
  if (count < told.durable) problems.push(`batch ${told.durable} was called durable, and ${count} is the last there`);
  if (count !== contents.count) problems.push(`batch ${count} is there, and nobody began it`);
  if (ring.report.gaps.length > 0) problems.push(`gaps: ${JSON.stringify(ring.report.gaps)}`);
  const last = told.batches.find(({ k }) => k === count);
  const pad = ring.metas.get('pad');
  if (last !== undefined && !equalBytes(pad ?? new Uint8Array(0), bodyOf(life, -count, last.padBytes)))
    problems.push(`META pad is not that of batch ${count}`);
  const missing = new Set(contents.messages.keys());
  for (const slot of [...ring.index.slots()]) {
    const number = ring.index.number(slot);
    const expected = contents.messages.get(number);
    if (!missing.delete(number) || expected === undefined) {
      problems.push(`message ${number} should not be there`);
      continue;
    }
    const found = await real.body(ring.index.id(slot));
    const isRight = found.kind === 'body' && equalBytes(found.body, bodyOf(expected.life, number, expected.bytes));
    if (!isRight) problems.push(`message ${number} is ${found.kind === 'body' ? 'another one' : found.kind}`);
  }
  for (const number of missing) problems.push(`message ${number} is missing`);
  return { problems, contents };
}

function contentsAfter(before: Contents, how: { life: string; told: Told; count: number }): Contents {
  const messages = new Map(before.messages);
  let { count, padBytes } = before;
  for (const batch of how.told.batches) {
    if (batch.k > how.count) break;
    for (const number of batch.acks) messages.delete(number);
    for (const { number, bytes } of batch.puts) messages.set(number, { bytes, life: how.life });
    count = batch.k;
    padBytes = batch.padBytes;
  }
  return { count, padBytes, messages };
}
