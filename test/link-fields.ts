/** What the product's decoder says of a packet, in the words of the second one, so that the two can be compared field by field. */
import { unreachable } from '../shared/assert.ts';
import { toHex } from '../shared/bytes.ts';
import { CLASS_CODE } from '../shared/link/class-codes.ts';
import type { DataContent } from '../shared/link/data-packet.ts';
import type { ReceiveLimits } from '../shared/link/handshake-packets.ts';
import { decodePacket, type Packet } from '../shared/link/packets.ts';
import type { Tlv } from '../shared/link/tlv.ts';
import { isCritical } from '../shared/link/tlv.ts';
import type { Answer, Field, Fields } from './second-link-decoder.ts';

/** What both decoders tell apart: why a packet is none is each one's own matter. */
export type Verdict = { kind: 'packet'; packet: Fields } | { kind: 'unknown'; type: number } | { kind: 'refused' };

/** Those that decoders tell; the vectors are older than the third. */
const FEATURES = 3;
const TLVS_OF: Record<'hello' | 'welcome' | 'note', readonly Tlv['kind'][]> = {
  hello: ['stream', 'route'],
  welcome: ['stream', 'down-offer', 'cursor'],
  note: ['stream', 'down-offer', 'stat', 'cursor', 'reject', 'gap', 'elsewhere', 'down-answer', 'route'],
};

export function secondVerdict(answer: Answer): Verdict {
  if (answer.kind === 'packet') return answer;
  return answer.kind === 'unknown' ? { kind: 'unknown', type: answer.header & 15 } : { kind: 'refused' };
}

/** A sealed packet is whole when one of `sids` fits, as to the second decoder. */
export function productVerdict(bytes: Uint8Array, sids: readonly number[]): Verdict {
  for (const sid of [undefined, ...sids]) {
    const packet = decodePacket(bytes, sid);
    if (packet?.kind === 'unknown') return packet;
    if (packet !== undefined) return { kind: 'packet', packet: fieldsOf(packet) };
  }
  return { kind: 'refused' };
}

function fieldsOf(packet: Exclude<Packet, { kind: 'unknown' }>): Fields {
  switch (packet.kind) {
    case 'knock':
      return { type: 'KNOCK', versionMax: packet.versionMax, versionMin: packet.versionMin };
    case 'hello': {
      const { versionMax, versionMin, flags, incarnation, epoch, node } = packet;
      return {
        ...{ type: 'HELLO', versionMax, versionMin, sleepy: (flags & 4) > 0, volatile: (flags & 8) > 0 },
        ...{ noRandom: (flags & 16) > 0, whole: (flags & 32) > 0, nonce: toHex(packet.nonce), incarnation },
        ...{ epochCounter: epoch.counter, epochRandom: epoch.random, ticket: toHex(packet.ticket) },
        ...{ ticketNonce: toHex(packet.ticketNonce), ...limitFields(packet.limits), node },
        ...tlvFields(packet.tlvs, TLVS_OF.hello),
      };
    }
    case 'welcome': {
      const { version, verdict, incarnation, epoch, keepaliveS, unixTimeUs, node } = packet;
      return {
        ...{ type: 'WELCOME', version, fork: verdict === 'fork', nonceEcho: toHex(packet.nonceEcho) },
        ...{ nonce: toHex(packet.nonce), incarnation, epochCounter: epoch.counter, epochRandom: epoch.random },
        ...{ ticket: toHex(packet.ticket), ...limitFields(packet.limits), keepaliveS, unixTimeUs, node },
        ...tlvFields(packet.tlvs, TLVS_OF.welcome),
      };
    }
    case 'data': {
      const { handle, pn, numberLow: number, acknowledge, content } = packet;
      return { type: 'DATA', atOnce: acknowledge === 'now', handle, pn, number, ...contentFields(content) };
    }
    case 'ack': {
      const { largest, delayMs, isBusy: busy, records } = packet;
      return {
        type: 'ACK',
        busy,
        largest,
        delayMs,
        bitmap: toHex(packet.bitmap),
        records: records.map((record) => ({ ...record })),
      };
    }
    case 'note':
      return { type: 'NOTE', pn: packet.pn, ...tlvFields(packet.tlvs, TLVS_OF.note) };
    case 'time-request':
      return { type: 'TIME request', pn: packet.pn, id: packet.id, t1: packet.t1Us };
    case 'time-response':
      return { type: 'TIME response', id: packet.id, t1: packet.t1Us, t2: packet.t2Us, t3: packet.t3Us };
    case 'log':
      return { type: 'LOG', level: packet.level, bytes: toHex(packet.text) };
    case 'bye':
      return { type: 'BYE', reason: packet.reason, sid: packet.sid };
    default:
      return unreachable(packet);
  }
}

function limitFields({ packetBytesMax, window, features, ackDelayMs }: ReceiveLimits): Record<string, number> {
  return { packetBytesMax, window, features: features & FEATURES, ackDelayMs };
}

function contentFields(content: DataContent): Record<string, Field> {
  switch (content.kind) {
    case 'whole':
      return { content: 'whole', payload: toHex(content.payload) };
    case 'compact':
      return { content: 'compact', check: content.check, body: toHex(content.body) };
    case 'batch':
      return { content: 'batch', messages: content.payloads.map(toHex) };
    case 'mixed': {
      const messages = content.messages.map(({ form, bytes }) => ({ compact: form === 'compact', bytes: toHex(bytes) }));
      return { content: 'mixed', messages, check: content.check };
    }
    case 'first':
      return { content: 'first', total: content.total, payload: toHex(content.payload) };
    case 'middle':
    case 'last':
      return { content: content.kind, offset: content.offset, payload: toHex(content.payload) };
    default:
      return unreachable(content);
  }
}

function tlvFields(tlvs: readonly Tlv[], taken: readonly Tlv['kind'][]): Record<string, Field> {
  const critical = tlvs.some(isCritical);
  const known = tlvs.filter(({ kind }) => taken.includes(kind));
  const ignored = tlvs.filter((tlv) => !taken.includes(tlv.kind) && !isCritical(tlv)).length;
  return { tlvs: known.map(oneTlv), ignored, critical };
}

function oneTlv(tlv: Tlv): Fields {
  switch (tlv.kind) {
    case 'stream': {
      const { handle, priority, lo, next, address, origin } = tlv;
      const forwarded = origin === undefined ? {} : { origin: origin.node, incarnation: origin.incarnation };
      return { tlv: 'STREAM', handle, priority, lo, next, address, ...forwarded };
    }
    case 'down-offer':
      return {
        tlv: 'DOWN_OFFER',
        ticket: toHex(tlv.ticket),
        ticketNonce: toHex(tlv.ticketNonce),
        whole: tlv.own === 'whole',
      };
    case 'stat':
      return { tlv: 'STAT', counters: tlv.counters };
    case 'cursor':
      return { tlv: 'CURSOR', handle: tlv.handle, cursor: tlv.cursor, credit: tlv.credit };
    case 'reject':
      return { tlv: 'REJECT', handle: tlv.handle, number: tlv.number, reason: tlv.reason };
    case 'gap':
      return { tlv: 'GAP', handle: tlv.handle, from: tlv.from, to: tlv.to, class: CLASS_CODE[tlv.class], node: tlv.node };
    case 'elsewhere':
      return { tlv: 'ELSEWHERE', handle: tlv.handle, from: tlv.from, to: tlv.to };
    case 'down-answer':
      return { tlv: 'DOWN_ANSWER', fork: tlv.verdict === 'fork', ticket: toHex(tlv.ticket) };
    case 'route':
      return { tlv: 'ROUTE', epoch: tlv.epoch };
    case 'unknown':
      return { tlv: String(tlv.type) };
    default:
      return unreachable(tlv);
  }
}
