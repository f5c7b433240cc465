/** What the payloads over MQTT are made of, read strictly: each of these answers undefined for anything else than the thing it names. */
import { fromHex, NO_BYTES, toHex } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import { isName, isQueueName } from '../message/address.ts';
import { type CborInput, type CborValue, decodeCbor } from '../message/cbor.ts';
import type { Epoch, StreamKey } from '../message/identity.ts';
import { PRIORITY_MAX } from '../message/message.ts';

/** Version of everything that crosses MQTT, in key 0 of every map. Another one is not read further. */
export const RELAY_VERSION = 1;
export const INCARNATION_BYTES = 8;
/** Nonces and tickets. */
export const TOKEN_BYTES = 8;

/** Keys that every payload has in common. */
export const KEY = { version: 0, node: 1, incarnation: 2, nonce: 3 } as const;

export type Fields = ReadonlyMap<unknown, CborValue>;

/** The map that fills `payload`, if its version is ours. */
export function fieldsOf(payload: Uint8Array): Fields | 'unknown-version' | undefined {
  const decoded = tryDecode(payload);
  const fields = decoded?.value;
  if (!(fields instanceof Map)) return undefined;
  const version = wholeOf(fields.get(KEY.version));
  if (version === undefined) return undefined;
  return version === RELAY_VERSION ? fields : 'unknown-version';
}

/** In a box, because `undefined` is a value of CBOR. */
export function tryDecode(bytes: Uint8Array): { value: CborValue } | undefined {
  try {
    return { value: decodeCbor(bytes) };
  } catch (error) {
    if (error instanceof RingmailError) return undefined;
    throw error;
  }
}

export function nameOf(value: CborValue): string | undefined {
  return typeof value === 'string' && isName(value) ? value : undefined;
}

export function wholeOf(value: CborValue): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** A number of a stream, or a place in it: from 1, and so that the one after it is a safe integer too. */
export function numberOf(value: CborValue): number | undefined {
  const whole = wholeOf(value);
  return whole === 0 || whole === Number.MAX_SAFE_INTEGER ? undefined : whole;
}

export function bytesOf(value: CborValue, length: number): Uint8Array | undefined {
  return value instanceof Uint8Array && value.length === length ? value : undefined;
}

export function hexOf(value: CborValue): string | undefined {
  const bytes = bytesOf(value, INCARNATION_BYTES);
  return bytes && toHex(bytes);
}

export function listOf(value: CborValue, countMax: number): readonly CborValue[] | undefined {
  return Array.isArray(value) && value.length <= countMax ? value : undefined;
}

export function epochFields(epoch: Epoch): CborInput[] {
  return [epoch.counter, epoch.random];
}

export function epochOf(value: CborValue): Epoch | undefined {
  const [counter, random] = (listOf(value, 2) ?? []).map(wholeOf);
  if (counter === undefined || random === undefined || counter > 0xffff_ffff || random > 0xffff_ffff) return undefined;
  return { counter, random };
}

export function incarnationBytes(incarnation: string): Uint8Array {
  return fromHex(incarnation) ?? NO_BYTES;
}

/** A stream as four fields: origin, incarnation, destination, priority. */
export function streamFields(key: StreamKey): CborInput[] {
  return [key.origin, incarnationBytes(key.incarnation), key.destination, key.priority];
}

/** The stream in the four fields from `at` on. */
export function streamOf(fields: readonly CborValue[], at: number): StreamKey | undefined {
  const origin = nameOf(fields[at]);
  const incarnation = hexOf(fields[at + 1]);
  const destination = addressOf(fields[at + 2]);
  const priority = wholeOf(fields[at + 3]);
  if (origin === undefined || incarnation === undefined || destination === undefined) return undefined;
  return priority === undefined || priority > PRIORITY_MAX ? undefined : { origin, incarnation, destination, priority };
}

/** An address with its node: between nodes there is no other. */
function addressOf(value: CborValue): string | undefined {
  if (typeof value !== 'string') return undefined;
  const [node = '', queue = '', ...more] = value.split('/');
  return more.length === 0 && isName(node) && isQueueName(queue) ? value : undefined;
}
