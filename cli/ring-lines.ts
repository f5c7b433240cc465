/**
 * An export of a ring: JSON, one object a line, UTF-8.
 *
 *   {"kind":"ringmail-export","version":1,"blockBytes","fileBytes","epoch","nextId","queueTimeMs"}   first
 *   {"kind":"meta","key","value"}                                                 value in base64
 *   {"kind":"message","id","queue","priority","stream","number","epoch":{"counter","random"},"deliveryCount",
 *    "moveCount","attended","holder","storedAt","expiresAt","notBefore","body"}
 *                                       body in base64, times in queue time, ms; moveCount unless it is 0, attended where it is true,
 *                                       holder where the body is shared: the id of the message that keeps it, or its own
 *   {"kind":"lost", as a message without body}                                    its body is damaged
 *   {"kind":"end","messages","metas","lost"}                                      last: without it the file was cut short
 *
 * Other fields are for people, and are not read again.
 */

import { toUtf8 } from '../shared/bytes.ts';
import {
  DELIVERY_COUNT_MAX,
  HOLDER_DISTANCE_MAX,
  META_KEY_BYTES_MAX,
  META_VALUE_BYTES_MAX,
  MOVE_COUNT_MAX,
  type PutEntry,
} from '../shared/ring/entry-layout.ts';
import { NUMBER_MAX } from '../shared/ring/superblock-layout.ts';

export const EXPORT_VERSION = 1;

export interface ExportHeader {
  readonly kind: 'header';
  readonly blockBytes: number;
  readonly fileBytes: number;
  readonly epoch: number;
  readonly nextId: number;
  readonly queueTimeMs: number;
}

export interface ExportCounts {
  readonly messages: number;
  readonly metas: number;
  readonly lost: number;
}

export type ExportLine =
  | ExportHeader
  | { readonly kind: 'meta'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'message'; readonly entry: PutEntry; readonly body: Uint8Array }
  | { readonly kind: 'lost' }
  | ({ readonly kind: 'end' } & ExportCounts);

export function headerLine(header: Omit<ExportHeader, 'kind'>): string {
  return line({ kind: 'ringmail-export', version: EXPORT_VERSION, ...header });
}

export function metaLine(key: string, value: Uint8Array): string {
  return line({ kind: 'meta', key, value: base64(value) });
}

export function messageLine(entry: PutEntry, body: Uint8Array, extra: object = {}): string {
  return line({ kind: 'message', ...fieldsOf(entry), body: base64(body), ...extra });
}

export function lostLine(entry: PutEntry): string {
  return line({ kind: 'lost', ...fieldsOf(entry) });
}

export function endLine(counts: ExportCounts): string {
  return line({ kind: 'end', ...counts });
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

function fieldsOf(entry: PutEntry): object {
  const { id, queue, priority, stream, number, epochCounter, epochRandom, deliveryCount } = entry;
  return {
    ...{ id, queue, priority, stream, number, epoch: { counter: epochCounter, random: epochRandom }, deliveryCount },
    ...(entry.moveCount > 0 && { moveCount: entry.moveCount }),
    ...(entry.attended && { attended: true }),
    ...(entry.holder !== undefined && { holder: entry.holder }),
    ...{ storedAt: entry.storedAtMs, expiresAt: entry.expiresAtMs, notBefore: entry.notBeforeMs },
  };
}

/** What a line says, or why it says nothing, as text. */
export function parseLine(text: string): ExportLine | string {
  const fields = fieldsIn(text);
  if (fields === undefined) return 'not an object of JSON';
  switch (fields.kind) {
    case 'ringmail-export':
      return headerOf(fields);
    case 'meta': {
      const value = bytesOf(fields.value);
      if (typeof fields.key !== 'string' || toUtf8(fields.key).length > META_KEY_BYTES_MAX) return 'key';
      return value === undefined || value.length > META_VALUE_BYTES_MAX ? 'value' : { kind: 'meta', key: fields.key, value };
    }
    case 'message':
      return messageOf(fields);
    case 'lost':
      return { kind: 'lost' };
    case 'end': {
      const { messages, metas, lost } = fields;
      if (!isWhole(messages) || !isWhole(metas) || !isWhole(lost)) return 'counts';
      return { kind: 'end', messages, metas, lost };
    }
    default:
      return 'kind';
  }
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsIn(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch {
    return undefined; // the caller says where
  }
}

function headerOf(fields: Fields): ExportHeader | string {
  const { version, blockBytes, fileBytes, epoch, nextId, queueTimeMs } = fields;
  if (version !== EXPORT_VERSION) return `version ${String(version)}; this ringmail reads ${EXPORT_VERSION}`;
  if (!isWhole(blockBytes, 65_536) || !isWhole(fileBytes) || !isWhole(epoch, 0xffff_fffe))
    return 'blockBytes, fileBytes or epoch';
  if (!isWhole(nextId) || nextId === 0 || !isWhole(queueTimeMs)) return 'nextId or queueTimeMs';
  return { kind: 'header', blockBytes, fileBytes, epoch, nextId, queueTimeMs };
}

function messageOf(fields: Fields): ExportLine | string {
  const { id, queue, priority, stream, number, deliveryCount, moveCount = 0, storedAt } = fields;
  const { expiresAt, notBefore, attended, holder } = fields;
  const epoch = (typeof fields.epoch === 'object' && fields.epoch !== null ? fields.epoch : {}) as Fields;
  const { counter, random } = epoch;
  const body = bytesOf(fields.body);
  if (!isWhole(id) || id === 0) return 'id';
  if (!isWhole(queue, UINT32_MAX) || !isWhole(stream, UINT32_MAX) || !isWhole(number)) return 'queue, stream or number';
  if (!isWhole(priority, 7) || !isWhole(deliveryCount, DELIVERY_COUNT_MAX)) return 'priority or deliveryCount';
  if (!isWhole(moveCount, MOVE_COUNT_MAX)) return 'moveCount';
  if (attended !== undefined && attended !== true) return 'attended';
  if (holder !== undefined && (!isWhole(holder, id) || holder === 0 || id - holder > HOLDER_DISTANCE_MAX)) return 'holder';
  if (!isWhole(counter, UINT32_MAX) || !isWhole(random, UINT32_MAX)) return 'epoch';
  if (!isWhole(storedAt) || !isWhole(expiresAt) || !isWhole(notBefore)) return 'storedAt, expiresAt or notBefore';
  if (body === undefined) return 'body';
  const entry = {
    ...{ kind: 'put' as const, id, queue, priority, copy: false, damaged: false, deliveryCount, moveCount, stream, number },
    ...{ epochCounter: counter, epochRandom: random, storedAtMs: storedAt, expiresAtMs: expiresAt, notBeforeMs: notBefore },
    attended: attended === true ? (true as const) : undefined,
    holder,
    ...{ bodyBytes: body.length, bodyCrc: 0, bodyOffset: 0 },
  };
  return { kind: 'message', entry, body };
}

const UINT32_MAX = 0xffff_ffff;

function isWhole(value: unknown, max = NUMBER_MAX): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max;
}

/** Undefined for anything but base64 as `base64` writes it. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string' || value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) return undefined;
  return new Uint8Array(Buffer.from(value, 'base64'));
}
