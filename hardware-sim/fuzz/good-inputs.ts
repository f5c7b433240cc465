/** What the readers are made for, as the product itself writes it: where fuzzing begins. */
import { encodeTelegram } from '../../device/index.ts';
import { toUtf8 } from '../../shared/bytes.ts';
import { wordFor } from '../../shared/custody/node-words.ts';
import { NO_TICKET } from '../../shared/custody/session.ts';
import { encodePacket } from '../../shared/link/packets.ts';
import { encodeEnvelope } from '../../shared/message/envelope.ts';
import type { Message } from '../../shared/message/message.ts';
import { encodeItem, encodePublish } from '../../shared/relay/publish-layout.ts';
import { encodeAnswer, encodeHello, encodeProgress } from '../../shared/relay/receipt-layout.ts';
import { encodeStatus } from '../../shared/relay/status-layout.ts';
import { encodeSync } from '../../shared/relay/sync-layout.ts';
import { bodyOf, LinkWorld } from '../link-world.ts';

const INCARNATION = '0011223344556677';
const EPOCH = { counter: 3, random: 77 };
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const KEY = { origin: 'device', incarnation: INCARNATION, destination: 'central/bags', priority: 3 };

export const CONTENT: readonly Message[] = [
  { identity: { ...KEY, number: 7 }, epoch: EPOCH, priority: 3, body: bodyOf(1, 20) },
  {
    identity: { ...KEY, number: 300 },
    epoch: EPOCH,
    priority: 3,
    body: bodyOf(2, 300),
    contentType: 'application/json',
    label: 'BAG',
    correlationId: 'c-1',
    responseQueue: 'device/answers',
    appSpecific: 42,
    headers: new Map([['flight', 'LX 123']]),
    timeToReachQueueMs: 1_000,
    timeToBeReceivedMs: 2_000,
    deliverAfterMs: 5,
    acknowledge: 'full',
    deadLetter: 'off',
    journal: 'on',
    previous: `device:${INCARNATION}:central/bags:3:6`,
    history: [{ class: 'RECEIVE_TIMEOUT', node: 'central', reason: 'too late' }],
    maybeDuplicate: 'maybe',
    transaction: { id: 't-1', index: 0, count: 2 },
  },
];

/** Each type of packet, as a session said it, sealed with 7. */
export const PACKETS: readonly Uint8Array[] = spoken();

export const HELLO: Uint8Array = PACKETS[0] ?? new Uint8Array(0);

function spoken(): Uint8Array[] {
  const world = new LinkWorld({ seed: 'fuzz', baud: 115_200, queues: [{ name: 'bags', bytesLimit: 100_000 }] });
  world.start();
  for (let i = 0; i < 12; i++) world.device.send('gateway/bags', bodyOf(i, (i * 67) % 700), i % 8);
  world.run(5_000);
  world.device.step(() => world.device.link.stop(world.world.nowMs));
  world.run(1_000);
  const kinds = new Map<string, Uint8Array>();
  for (const { packet } of world.tap.heard) {
    if (packet.kind === 'unknown') continue;
    const detail = packet.kind === 'data' ? packet.content.kind : '';
    const name = `${packet.kind} ${detail}`;
    if (!kinds.has(name)) kinds.set(name, encodePacket(packet, 7));
  }
  kinds.set('log', encodePacket({ kind: 'log', level: 3, text: toUtf8('started') }, 7));
  return [...kinds.values()];
}

const SPEAKER = { sender: 'gateway', incarnation: INCARNATION, nonce: NONCE };

export const PUBLISH: Uint8Array = encodePublish(SPEAKER, [
  ...CONTENT.map((one) => encodeItem(KEY, { kind: 'message', number: one.identity.number, envelope: encodeEnvelope(one) })),
  encodeItem(KEY, { kind: 'gap', number: 8, to: 9, class: 'PURGED', node: 'gateway' }),
  encodeItem(KEY, { kind: 'elsewhere', number: 10, to: 12 }),
]);

const RECEIVER = { receiver: 'central', incarnation: INCARNATION, nonce: NONCE };
const CURSOR = { stream: KEY, cursor: 8, credit: 1_000 };

export const RECEIPTS: readonly Uint8Array[] = [
  encodeAnswer({ kind: 'welcome', ...RECEIVER, epoch: EPOCH, ticket: NONCE, cursors: [CURSOR] }),
  encodeProgress(RECEIVER, [{ ...CURSOR, hasMissed: true }]),
  encodeHello(RECEIVER),
];

export const STATUS: Uint8Array = encodeStatus({
  kind: 'online',
  node: 'central',
  incarnation: INCARNATION,
  epoch: EPOCH,
  hello: 2,
});

export const SYNC: Uint8Array = encodeSync({
  receiver: 'central',
  attempt: 3,
  offer: {
    sender: 'gateway',
    incarnation: INCARNATION,
    epoch: EPOCH,
    nonce: NONCE,
    ticket: NO_TICKET,
    ticketNonce: NONCE,
    streams: [{ stream: KEY, lo: 1, next: 9 }],
    own: 'whole',
  },
});

export const WORD: Uint8Array = wordFor('central', 'attach', { node: 'device', epochs: [3, 1] }).content.body;

export const TELEGRAM: Uint8Array = encodeTelegram(
  17,
  toUtf8('BSM\r\n.V/1LZRH\r\n.F/LX123/26NOV/FRA/Y\r\n.N/0220123456001\r\nENDBSM\r\n'),
);

export const CONFIG: readonly string[] = [
  'name = "gateway-1"\n[ring]\npath = "/var/lib/ringmail/ring"\nsize = "64 MiB"\n[uplink]\nkind = "mqtt"\nbroker = "mqtt://127.0.0.1:1883"\n',
  'name = "d"\n[[uplinks]]\nname = "a"\nkind = "link"\naddress = "tcp:127.0.0.1:7000"\nto = ["*"]\n[queues.bags]\nlimit = "1 MiB"\n',
  '[[routes]]\nfrom = "scans"\nwhere = { label = "x" }\nto = ["central/bags", "topic:hall/scans"]\npriority = 5\n',
];
