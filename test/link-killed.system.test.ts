/**
 * Two real nodes joined by a Unix socket, killed again and again in the middle of their sessions, one or both, while four programs send:
 * what the device answered for lies at the gateway in the end, once and in order, and nothing else but what was sent.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Prng, stream } from '../hardware-sim/random.ts';
import { RingmailError } from '../shared/errors.ts';
import { type Identity, identityText, streamText } from '../shared/message/identity.ts';
import { ApiClient } from '../shared/node/api/client.ts';
import { type Child, startCli, temporaryFolder } from './child.ts';

/** The device alone, the gateway alone, both at once: each of them 20 times. */
const ROUNDS = { device: 8, gateway: 8, both: 12 };
const SENDERS = 4;
/** Between two sends of one program: the link always has something under way, and the queue holds all of it. */
const SEND_MS = 25;
/** About 15 s on a machine with nothing else to do: most of it is the start of 42 processes. */
const WALL_MS_MAX = 120_000;
const DRAIN_MS_MAX = 30_000;

const CONFIGS = {
  device: '[uplink]\nkind = "link"\nline = "unix:link.sock"\n',
  gateway: '[[links]]\nlisten = "unix:link.sock"\n\n[queues.bags]\nlimit = "6 MiB"\n',
};
type Side = keyof typeof CONFIGS;
const nodes = new Map<Side, Child>();

afterEach(async () => {
  await Promise.all([...nodes.values()].map((node) => node.kill('SIGKILL')));
});

interface Sent {
  readonly body: string;
  /** As the device answered; undefined: it died first, or had no room. */
  identity: string | undefined;
}

test('20 kills each of the device and the gateway, alone and together: the store is the source log', {
  timeout: WALL_MS_MAX,
}, async () => {
  const folder = temporaryFolder('link-killed');
  const random = stream('link-killed', 'kills');
  const clients = { device: clientOf(folder.path, 'device'), gateway: clientOf(folder.path, 'gateway') };
  for (const side of ['device', 'gateway'] as const)
    writeFileSync(join(folder.path, `${side}.toml`), `name = "${side}"\n\n${CONFIGS[side]}`);
  await Promise.all([startNode('gateway', folder.path), startNode('device', folder.path)]);

  const log: Sent[] = [];
  let isOver = false;
  const programs = Array.from({ length: SENDERS }, (_, sender) => send({ client: clients.device, sender, log }, () => isOver));
  const arrivedAt: number[] = [];
  for (const victims of drawRounds(random)) {
    arrivedAt.push(await untilMoving(clients.gateway, random));
    await Promise.all(victims.map((side) => nodes.get(side)?.kill('SIGKILL')));
    await Promise.all(victims.map((side) => startNode(side, folder.path)));
  }
  isOver = true;
  await Promise.all(programs);
  await drained(clients.device);

  const stored = await contents(clients.gateway);
  const answered = log.filter(({ identity }) => identity !== undefined);
  const storedIds = stored.map(({ identity }) => identityText(identity));
  const bodies = new Map(stored.map(({ identity, body }) => [identityText(identity), body]));
  const tried = new Set(log.map(({ body }) => body));
  expect(answered.filter(({ identity, body }) => bodies.get(identity ?? '') !== body)).toEqual([]);
  expect(stored.filter(({ body }) => !tried.has(body))).toEqual([]);
  expect(storedIds.length).toBe(new Set(storedIds).size);
  expect(stored.length).toBe(new Set(bodies.values()).size);
  expect(outOfOrder(stored.map(({ identity }) => identity))).toEqual([]);
  // It was the link that was broken: messages went over it between the kills, in most of the rounds.
  const moved = arrivedAt.filter((count, i) => count > (arrivedAt[i - 1] ?? 0)).length;
  expect(moved).toBeGreaterThan(0.6 * arrivedAt.length);
  expect(answered.length).toBeGreaterThan(1_000);
  expect((await clients.gateway.stats()).accounts).toEqual([]);
  expect(await Promise.all([...nodes.values()].map((node) => node.kill('SIGTERM')))).toEqual([0, 0]);
  folder.remove();
});

/** In an order drawn anew. */
function drawRounds(random: Prng): (readonly Side[])[] {
  const rounds: (readonly Side[])[] = [
    ...Array.from({ length: ROUNDS.device }, () => ['device'] as const),
    ...Array.from({ length: ROUNDS.gateway }, () => ['gateway'] as const),
    ...Array.from({ length: ROUNDS.both }, () => ['device', 'gateway'] as const),
  ];
  return rounds
    .map((round) => ({ round, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ round }) => round);
}

function clientOf(folder: string, side: Side): ApiClient {
  return new ApiClient({ socketPath: join(folder, `${side}.sock`) });
}

async function startNode(side: Side, folder: string): Promise<void> {
  const child = startCli(['node', '--config', `${side}.toml`], folder);
  nodes.set(side, child);
  await child.said(/pid \d+/);
}

interface Program {
  readonly client: ApiClient;
  readonly sender: number;
  readonly log: Sent[];
}

/** What it is not answered for it does not send again: it may be there, once. */
async function send({ client, sender, log }: Program, isOver: () => boolean): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    const sent: Sent = { body: `${sender}/${i}/${'x'.repeat((i * 37) % 200)}`, identity: undefined };
    log.push(sent);
    try {
      sent.identity = await client.send('gateway/bags', new TextEncoder().encode(sent.body), { priority: (sender + i) % 8 });
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
    }
    await pause(SEND_MS);
  }
}

/** Until something new came over the link, or half a second; then a random moment more. Returns how many are there. */
async function untilMoving(gateway: ApiClient, random: Prng): Promise<number> {
  const before = await countOf(gateway);
  let count = before;
  for (let i = 0; i < 25 && count === before; i++) {
    await pause(20);
    count = await countOf(gateway);
  }
  await pause(random.int(150));
  return count;
}

async function countOf(client: ApiClient): Promise<number> {
  const { queues } = await client.stats();
  return queues.find(({ name }) => name === 'bags')?.ready ?? 0;
}

async function drained(device: ApiClient): Promise<void> {
  const deadlineMs = performance.now() + DRAIN_MS_MAX;
  for (;;) {
    const waiting = (await device.stats()).outgoing.reduce((sum, { held }) => sum + held, 0);
    if (waiting === 0) return;
    if (performance.now() > deadlineMs) throw new Error(`${waiting} messages still at the device`);
    await pause(50);
  }
}

async function contents(client: ApiClient): Promise<{ identity: Identity; body: string }[]> {
  const stored: { identity: Identity; body: string }[] = [];
  for (let got = await client.receive('bags'); got !== undefined; got = await client.receive('bags')) {
    stored.push({ identity: got.message.identity, body: new TextDecoder().decode(got.message.body) });
    await client.ack(got.lease);
  }
  return stored;
}

function outOfOrder(identities: readonly Identity[]): string[] {
  const last = new Map<string, number>();
  return identities.flatMap((identity) => {
    const key = streamText(identity);
    const isLater = identity.number > (last.get(key) ?? 0);
    last.set(key, identity.number);
    return isLater ? [] : [identityText(identity)];
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
