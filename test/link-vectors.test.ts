/**
 * Agreement vectors of the link, one JSON object a line: the examples of docs/link.md, the edges of every field, and packets of recorded
 * sessions. Both decoders, the product's and the one written from the page alone, read them as they are written down. Lines are only
 * ever added.
 *
 *   name     what it is
 *   sid      the session's id, as a number in hex; null: there is none
 *   packet   header, body and trailer in hex
 *   fields   what a decoder reads, by the names of the page; or
 *   refused  why it does not: checksum, malformed, or unknown: whole, but of a type or with flags of later
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../shared/bytes.ts';
import { Rebuilder } from '../shared/link/compact.ts';
import { decodePacket, encodePacket } from '../shared/link/packets.ts';
import { productVerdict } from './link-fields.ts';
import { type Fields, type Origin, secondDecodePacket, secondRebuild, secondTogether } from './second-link-decoder.ts';

interface Vector {
  readonly name: string;
  readonly sid: string | null;
  readonly packet: string;
  readonly fields?: Fields;
  /** With compact messages: what the session knows of them, and what the receiver makes of them; null: a check is wrong. */
  readonly of?: Origin;
  readonly envelopes?: readonly string[] | null;
  readonly refused?: 'checksum' | 'malformed' | 'unknown';
}

const FILE = join(import.meta.dirname, 'golden', 'link-vectors.jsonl');
const vectors = readFileSync(FILE, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector);
const bytesOf = ({ packet }: Vector): Uint8Array => fromHex(packet) ?? new Uint8Array(0);
const sidsOf = ({ sid }: Vector): number[] => (sid === null ? [] : [Number.parseInt(sid, 16)]);

describe('agreement vectors', () => {
  test('are all there, of every type, taken and refused', () => {
    const refused = (why: string) => vectors.filter((vector) => vector.refused === why).length;
    expect(vectors.length).toBeGreaterThanOrEqual(433);
    expect(new Set(vectors.flatMap(({ fields }) => (fields === undefined ? [] : [fields.type]))).size).toBe(10);
    expect([refused('checksum'), refused('malformed'), refused('unknown')].every((count) => count >= 10)).toBe(true);
  });

  test('the second decoder reads them so', () => {
    for (const vector of vectors) {
      const answer = secondDecodePacket(bytesOf(vector), sidsOf(vector));
      const said = answer.kind === 'packet' ? { fields: answer.packet } : { refused: answer.kind };
      expect({ ...vector, ...said }).toEqual(vector);
    }
  });

  test('the product reads them so', () => {
    for (const vector of vectors) {
      const verdict = productVerdict(bytesOf(vector), sidsOf(vector));
      if (vector.fields !== undefined) expect(verdict, vector.name).toEqual({ kind: 'packet', packet: vector.fields });
      else expect(verdict.kind, vector.name).toBe(vector.refused === 'unknown' ? 'unknown' : 'refused');
    }
  });

  test('compact messages are rebuilt so by both', () => {
    const compact = vectors.filter(({ of }) => of !== undefined);
    expect(compact).toHaveLength(13);
    for (const vector of compact) {
      const { of, envelopes, fields, name } = vector;
      const packet = decodePacket(bytesOf(vector), sidsOf(vector)[0]);
      if (of === undefined || fields === undefined || packet?.kind !== 'data') throw new Error(name);
      expect(secondRebuild(fields, of) ?? null, name).toEqual(envelopes);
      const key = { origin: of.origin, incarnation: of.incarnation, destination: of.address, priority: of.priority };
      const rebuilder = new Rebuilder(key, { counter: of.epochCounter, random: of.epochRandom });
      const { content, numberLow } = packet;
      const inFull = content.kind === 'whole' ? { envelope: content.payload } : undefined;
      const one = content.kind === 'compact' ? rebuilder.whole(numberLow, content) : inFull;
      const rebuilt = content.kind === 'mixed' ? rebuilder.batch(numberLow, content.messages, content.check) : one && [one];
      expect(rebuilt?.map(({ envelope }) => toHex(envelope)) ?? null, name).toEqual(envelopes);
    }
  });

  test('parts of a compact message make the same envelope as the whole of it, to both', () => {
    const named = (name: string) => vectors.find((vector) => vector.name === name);
    const parts = ['first', 'middle', 'last'].map((which) => String(named(`compact, ${which} part`)?.fields?.payload));
    const { of, envelopes } = named('compact, its parts together') ?? {};
    if (of === undefined) throw new Error('no such vector');
    const key = { origin: of.origin, incarnation: of.incarnation, destination: of.address, priority: of.priority };
    const rebuilder = new Rebuilder(key, { counter: of.epochCounter, random: of.epochRandom });
    const together = (number: number, payload: string) => [
      secondTogether(number, payload, of) ?? null,
      toHex(rebuilder.together(number, fromHex(payload) ?? new Uint8Array(0)) ?? new Uint8Array(0)) || null,
    ];
    expect(together(4, parts.join(''))).toEqual([envelopes?.[0], envelopes?.[0]]);
    for (const wrong of [parts.join('').replace('61', '62'), parts[0] ?? '', '00'])
      expect(together(4, wrong)).toEqual([null, null]);
    expect(together(5, parts.join(''))).toEqual([null, null]);
  });

  test('the product writes what it said in sessions byte for byte again', () => {
    for (const vector of vectors.filter(({ name }) => name.startsWith('session') || name.startsWith('example'))) {
      const [sid = 0] = sidsOf(vector);
      const packet = decodePacket(bytesOf(vector), sid);
      if (packet === undefined || packet.kind === 'unknown') throw new Error(`${vector.name} is not read`);
      expect(toHex(encodePacket(packet, sid)), vector.name).toBe(vector.packet);
    }
  });
});
