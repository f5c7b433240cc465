/** Targets that read bytes and keep nothing: what comes from lines, brokers, programs and files, one reader each. */
import { readRp1745, TelegramAssembler } from '../../device/index.ts';
import { concatBytes, equalBytes, fromUtf8, toUtf8 } from '../../shared/bytes.ts';
import { crc32c } from '../../shared/crc32c.ts';
import { streamIn, wordIn } from '../../shared/custody/node-words.ts';
import { encodeCobs, frameForLine } from '../../shared/link/cobs.ts';
import { Deframer, type LineEvent } from '../../shared/link/deframer.ts';
import { decodePacket, encodePacket } from '../../shared/link/packets.ts';
import { formatAddress, isName, parseAddress } from '../../shared/message/address.ts';
import { decodeCbor, encodeCbor } from '../../shared/message/cbor.ts';
import { decodeEnvelope, encodeEnvelope } from '../../shared/message/envelope.ts';
import { identityText, parseIdentity } from '../../shared/message/identity.ts';
import { topicProblem } from '../../shared/message/topic-destination.ts';
import { parseConfig } from '../../shared/node/config/config.ts';
import { decodePublish } from '../../shared/relay/publish-layout.ts';
import { decodeReceipt } from '../../shared/relay/receipt-layout.ts';
import { decodeStatus } from '../../shared/relay/status-layout.ts';
import { decodeSync } from '../../shared/relay/sync-layout.ts';
import { formatTopic, parseTopic } from '../../shared/relay/topics.ts';
import type { Prng } from '../random.ts';
import { type FuzzTarget, promise } from './engine.ts';
import { CONFIG, CONTENT, HELLO, PACKETS, PUBLISH, RECEIPTS, STATUS, SYNC, TELEGRAM, WORD } from './good-inputs.ts';

const PACKET_BYTES_MAX = 256;
const SEAL = 7;

/** In pieces as chance has it. */
function* pieces(input: Uint8Array, random: Prng): Generator<Uint8Array> {
  for (let at = 0; at < input.length; ) {
    const end = Math.min(input.length, at + 1 + random.int(random.pick([1, 7, 200])));
    yield input.subarray(at, end);
    at = end;
  }
}

/** What was heard, in a form to compare; a run that is no frame may come in other pieces. */
function heard(events: readonly LineEvent[]): string {
  const texts = events.map((event) => {
    if (event.kind === 'frame') return `frame ${event.bytes.join()}`;
    return event.kind === 'console' ? `text ${event.text.length}` : `${event.reason} ${event.bytes}`;
  });
  return texts.join(' | ');
}

const deframer: FuzzTarget = {
  name: 'deframer',
  what: 'bytes of a line, cut into packets: the same however they come, and whole ones are heard again after any garbage',
  bytesMax: 2_048,
  dictionary: [Uint8Array.of(0), Uint8Array.of(0, 0), Uint8Array.of(0xff), toUtf8('U-Boot 2024.01\r\n')],
  seeds: () => PACKETS.map(frameForLine),
  run(input, random) {
    const whole = new Deframer(PACKET_BYTES_MAX);
    const told = heard([...whole.push(input), ...whole.end()]);
    const cut = new Deframer(PACKET_BYTES_MAX);
    const inPieces: LineEvent[] = [];
    for (const piece of pieces(input, random)) inPieces.push(...cut.push(piece));
    promise(heard([...inPieces, ...cut.end()]) === told, 'how it is cut makes a difference');
    const again = new Deframer(PACKET_BYTES_MAX);
    again.push(input);
    const [first = new Uint8Array(0)] = PACKETS;
    const after = [...again.push(frameForLine(first)), ...again.push(frameForLine(first))];
    const frames = after.filter((event) => event.kind === 'frame' && equalBytes(event.bytes, first));
    promise(frames.length >= 1, 'after garbage the second of two packets is heard');
    return told.replaceAll(/[\d,]+/g, '#').slice(0, 200);
  },
};

const packets: FuzzTarget = {
  name: 'packets',
  what: 'packets of the link: what is read is never more than came, and is written as it was read',
  bytesMax: 1_200,
  dictionary: PACKETS,
  seeds: () => [...PACKETS],
  repair(input) {
    if (input.length < 5) return input;
    const content = input.slice(0, -4);
    const isSealed = [0x80, 0x05, 0x06, 0x07, 0x0a, 0x0b].includes((content[0] ?? 0) & 0x8f);
    const seed = isSealed ? crc32c(Uint8Array.of(SEAL, 0, 0, 0)) : 0;
    const crc = crc32c(content, seed);
    return concatBytes([content, Uint8Array.of(crc, crc >>> 8, crc >>> 16, crc >>> 24)]);
  },
  run(input) {
    const packet = decodePacket(input, SEAL);
    if (packet === undefined) return 'no packet';
    if (packet.kind === 'unknown') return `unknown ${packet.type}`;
    const written = encodePacket(packet, SEAL);
    const again = decodePacket(written, SEAL);
    promise(again !== undefined && again.kind === packet.kind, 'what is written is read as the same');
    promise(equalBytes(encodePacket(again as typeof packet, SEAL), written), 'the form that is written stands');
    return `${packet.kind} ${'tlvs' in packet ? packet.tlvs.map(({ kind }) => kind).join() : Object.keys(packet).join()}`;
  },
};

const cbor: FuzzTarget = {
  name: 'cbor',
  what: 'CBOR of strangers: read or refused, never more than it is, and the same after it was written',
  bytesMax: 4_096,
  dictionary: [0x1b, 0x3b, 0x5b, 0x7b, 0x9b, 0xbb, 0xc0, 0xd8, 0xf9, 0xfb, 0x5f, 0x9f, 0xbf, 0xff].map((byte) =>
    Uint8Array.of(byte),
  ),
  seeds: () => [encodeCbor(new Map([['kind', 'a']])), encodeCbor([1, -1, 2.5, null, true, 'x', Uint8Array.of(1)]), WORD],
  run(input) {
    const value = decodeCbor(input);
    const written = encodeCbor(value);
    promise(equalBytes(encodeCbor(decodeCbor(written)), written), 'the form that is written stands');
    return shapeOf(value);
  },
};

function shapeOf(value: unknown, depth = 0): string {
  if (value instanceof Uint8Array) return 'bytes';
  if (depth > 3) return '…';
  if (Array.isArray(value)) return `[${[...new Set(value.map((one) => shapeOf(one, depth + 1)))].join()}]`;
  if (value instanceof Map) return `{${[...new Set([...value.values()].map((one) => shapeOf(one, depth + 1)))].join()}}`;
  return value === null ? 'null' : typeof value;
}

const envelope: FuzzTarget = {
  name: 'envelope',
  what: 'envelopes: refused, or a message that can be written again',
  bytesMax: 4_096,
  dictionary: [...CONTENT.map((one) => encodeEnvelope(one)), Uint8Array.of(0x58), Uint8Array.of(0xa3)],
  seeds: () => CONTENT.map((one) => encodeEnvelope(one)),
  repair: withEnvelopeCrc,
  run(input) {
    const { message, hop } = decodeEnvelope(input);
    const written = encodeEnvelope(message, hop);
    const again = decodeEnvelope(written);
    promise(identityText(again.message.identity) === identityText(message.identity), 'the identity stands');
    promise(equalBytes(again.message.body, message.body), 'the body stands');
    return Object.keys(message).join();
  },
};

/** [1, immutable, crc, hop]: the checksum of what lies in `immutable`. */
function withEnvelopeCrc(input: Uint8Array): Uint8Array {
  const long = input[2] === 0x58 ? { at: 4, length: input[3] ?? 0 } : { at: 5, length: ((input[3] ?? 0) << 8) | (input[4] ?? 0) };
  if (input[0] !== 0x84 || (input[2] !== 0x58 && input[2] !== 0x59)) return input;
  const end = long.at + long.length;
  if (end + 5 > input.length || input[end] !== 0x1a) return input;
  const fixed = input.slice();
  new DataView(fixed.buffer).setUint32(end + 1, crc32c(fixed.subarray(long.at, end)));
  return fixed;
}

const relay: FuzzTarget = {
  name: 'relay',
  what: 'payloads that a broker brings, each reader at each of them',
  bytesMax: 8_192,
  dictionary: [PUBLISH, ...RECEIPTS, STATUS, SYNC, WORD],
  seeds: () => [PUBLISH, ...RECEIPTS, STATUS, SYNC, WORD],
  repair(input) {
    // The header of a publish ends with its checksum, key 5, four bytes.
    const at = input.findIndex((byte, i) => byte === 5 && input[i + 1] === 0x1a && i < 120);
    if (at < 0 || at + 6 > input.length) return input;
    const fixed = input.slice();
    new DataView(fixed.buffer).setUint32(at + 2, crc32c(fixed.subarray(at + 6)));
    return fixed;
  },
  run(input) {
    const publish = decodePublish(input);
    if (publish?.kind === 'publish') {
      const bytes = publish.items.reduce((sum, one) => sum + (one.kind === 'bad' ? one.bytes.length : 0), 0);
      promise(bytes <= input.length && publish.items.length <= input.length, 'no more is read than came');
      return `publish ${[...new Set(publish.items.map((one) => (one.kind === 'bad' ? 'bad' : one.item.kind)))].join()}`;
    }
    const all = [decodeReceipt(input), decodeStatus(input), decodeSync(input)];
    const said = all.map((one) => (one === undefined ? '-' : typeof one === 'string' ? one : one.kind));
    const word = wordIn({ body: input, contentType: 'application/cbor' });
    return `${publish?.kind ?? '-'} ${said.join()} ${word === undefined ? '-' : `word ${String(streamIn(word.value('stream')) !== undefined)}`}`;
  },
};

const names: FuzzTarget = {
  name: 'names',
  what: 'names, addresses, identities, topics: what is taken is written as it came, and leads nowhere else',
  bytesMax: 700,
  dictionary: ['/', '..', '#', '+', '$', ';', ':', 'central/', '$admin', 'ringmail/', '\u0000', 'é', '%2f'].map(toUtf8),
  seeds: () =>
    ['central/bags', 'device-1/$admin', 'bags;late', 'a:0011223344556677:central/bags:3:17', 'ringmail/queue/central/bags/0'].map(
      toUtf8,
    ),
  run(input) {
    const text = fromUtf8(input) ?? '';
    const said: string[] = [];
    const topic = parseTopic(text);
    if (topic !== undefined) {
      said.push(topic.kind);
      promise(formatTopic(topic) === text, 'a topic is written as it came');
    }
    const identity = parseIdentity(text);
    if (identity !== undefined) {
      said.push('identity');
      promise(identityText(identity) === text, 'an identity is written as it came');
    }
    if (topicProblem(text) === undefined) {
      said.push('topic');
      const isOurs = text.startsWith('ringmail/');
      promise(!/[#+]/.test(text) && !text.includes('\u0000') && !isOurs, 'a topic has no wildcards, and is not one of ours');
    }
    if (isName(text)) promise(/^[a-z0-9][a-z0-9_-]{0,62}$/.test(text), 'a name is one');
    const address = parseAddress(text, 'self');
    promise(/^[a-z0-9$;_/-]+$/.test(text), 'an address has no other characters');
    promise(
      formatAddress(parseAddress(formatAddress(address), 'self')) === formatAddress(address),
      'an address is written as it is read',
    );
    return [...said, 'address', address.node === 'self' ? 'own' : 'other'].join();
  },
};

const config: FuzzTarget = {
  name: 'config',
  what: 'configuration files: read, or every problem told with its line',
  bytesMax: 4_096,
  dictionary: [
    '[[',
    ']]',
    '[',
    ']',
    '=',
    '"',
    "'",
    '\n',
    '#',
    '{',
    '}',
    '\\u0000',
    'queues',
    'uplinks',
    'nan',
    '-0',
    '1e999',
  ].map(toUtf8),
  seeds: () => CONFIG.map(toUtf8),
  run(input) {
    const text = fromUtf8(input) ?? '';
    const read = parseConfig(text, { directory: '/etc/ringmail' });
    return Object.keys(read).join();
  },
};

const telegrams: FuzzTarget = {
  name: 'telegrams',
  what: 'bytes of a controller: telegrams assembled, the same however they come, bounded, and read as what they are',
  bytesMax: 12_000,
  dictionary: [
    Uint8Array.of(2),
    Uint8Array.of(3),
    Uint8Array.of(6),
    TELEGRAM,
    toUtf8('.V/1L'),
    toUtf8('BSM\r\n'),
    toUtf8('\r\n.'),
  ],
  seeds: () => [TELEGRAM, concatBytes([TELEGRAM, TELEGRAM])],
  run(input, random) {
    const whole = new TelegramAssembler();
    const told = JSON.stringify(whole.push(input));
    const cut = new TelegramAssembler();
    const inPieces = [];
    for (const piece of pieces(input, random)) inPieces.push(...cut.push(piece));
    const events = JSON.parse(told) as { kind: string; reason?: string }[];
    const kinds = (all: readonly { kind: string }[]) => all.filter(({ kind }) => kind === 'telegram').length;
    promise(kinds(events) === kinds(inPieces), 'how it is cut makes a difference');
    const reading = readRp1745(input);
    return `${[...new Set(events.map(({ kind, reason }) => reason ?? kind))].join()} ${reading.ok ? reading.type : reading.reason}`;
  },
};

const cobs: FuzzTarget = {
  name: 'cobs',
  what: 'COBS: whatever is stuffed comes back',
  bytesMax: 1_024,
  seeds: () => [new Uint8Array(300), HELLO, new Uint8Array(255).fill(1)],
  run(input) {
    const framed = encodeCobs(input);
    promise(!framed.includes(0), 'no zero inside');
    const line = new Deframer(2_048);
    const events = line.push(frameForLine(input));
    const frames = events.filter(({ kind }) => kind === 'frame');
    promise(input.length === 0 || frames.length === 1, 'one packet is one packet');
    for (const event of events)
      if (event.kind === 'frame') promise(equalBytes(event.bytes, input), 'what comes back is what was said');
    return `${Math.min(9, input.length >> 7)}`;
  },
};

export const DECODERS: readonly FuzzTarget[] = [deframer, cobs, packets, cbor, envelope, relay, names, config, telegrams];
