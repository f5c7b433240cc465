/**
 * A real device with two real gateways and a real hall above them, over sockets: gateways and device are killed in turn while programs
 * send. What the device answered for lies at the hall in the end, once and in order, by whichever way.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { RingmailError } from '../shared/errors.ts';
import { type Identity, identityText, streamText } from '../shared/message/identity.ts';
import { ApiClient } from '../shared/node/api/client.ts';
import { type Child, startCli, temporaryFolder } from './child.ts';

const KILLS = 14;
const SENDERS = 3;
const SEND_MS = 25;
const WALL_MS_MAX = 180_000;
const DRAIN_MS_MAX = 60_000;

const gateway = (name: string) =>
  `[uplink]\nkind = "link"\nline = "unix:hall-link.sock"\n[[links]]\nlisten = "unix:${name}-link.sock"\n`;
const CONFIGS = {
  hall: '[[links]]\nlisten = "unix:hall-link.sock"\n[queues.bags]\nlimit = "6 MiB"\n',
  'gw-a': gateway('gw-a'),
  'gw-b': gateway('gw-b'),
  device: `failoverMs = 300
failbackMs = 1500
[[uplinks]]
kind = "link"
line = "unix:gw-a-link.sock"
[[uplinks]]
name = "b"
kind = "link"
line = "unix:gw-b-link.sock"
`,
};
type Name = keyof typeof CONFIGS;
const NAMES = Object.keys(CONFIGS) as Name[];
const nodes = new Map<Name, Child>();

afterEach(async () => {
  await Promise.all([...nodes.values()].map((node) => node.kill('SIGKILL')));
});

interface Sent {
  readonly body: string;
  identity: string | undefined;
}

test(`${KILLS} kills of gateways and device: every message by one of the two ways, once and in order`, {
  timeout: WALL_MS_MAX,
}, async () => {
  const folder = temporaryFolder('failover-killed');
  const random = stream('failover-killed', 'kills');
  const clients = new Map(NAMES.map((name) => [name, new ApiClient({ socketPath: join(folder.path, `${name}.sock`) })]));
  const client = (name: Name): ApiClient => clients.get(name) as ApiClient;
  const start = async (name: Name): Promise<void> => {
    const child = startCli(['node', '--config', `${name}.toml`], folder.path);
    nodes.set(name, child);
    await child.said(/pid \d+/);
  };
  for (const name of NAMES) writeFileSync(join(folder.path, `${name}.toml`), `name = "${name}"\n${CONFIGS[name]}`);
  await Promise.all(NAMES.map(start));

  const log: Sent[] = [];
  let isOver = false;
  const send = async (sender: number): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      const sent: Sent = { body: `${sender}/${i}`, identity: undefined };
      log.push(sent);
      await client('device')
        .send('hall/bags', new TextEncoder().encode(sent.body), { priority: sender })
        .then(
          (identity) => {
            sent.identity = identity;
          },
          (error: unknown) => {
            if (!(error instanceof RingmailError)) throw error;
          },
        );
      await pause(SEND_MS);
    }
  };
  const programs = Array.from({ length: SENDERS }, (_, sender) => send(sender));
  const ways = new Set<string>();
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = random.pick(['gw-a', 'gw-a', 'gw-b', 'device'] as const);
    await pause(300 + random.int(700));
    await nodes.get(victim)?.kill('SIGKILL');
    await pause(200 + random.int(900));
    const { uplinks } = await client('device')
      .stats()
      .catch(() => ({ uplinks: [] }));
    for (const { name, use, state } of uplinks) if (use === 'in-use' && state === 'ready') ways.add(name);
    await start(victim);
  }
  isOver = true;
  await Promise.all(programs);
  const answered = log.filter(({ identity }) => identity !== undefined);
  const stored: { identity: Identity; body: string }[] = [];
  const deadlineMs = performance.now() + DRAIN_MS_MAX;
  const isMissing = () => {
    const there = new Set(stored.map(({ identity }) => identityText(identity)));
    return answered.some(({ identity }) => !there.has(identity ?? ''));
  };
  while (isMissing() && performance.now() < deadlineMs) {
    const got = await client('hall').receive('bags', { waitMs: 1_000 });
    if (got === undefined) continue;
    stored.push({ identity: got.message.identity, body: new TextDecoder().decode(got.message.body) });
    await client('hall').ack(got.lease);
  }
  const ids = stored.map(({ identity }) => identityText(identity));
  const missing = answered.filter(({ identity }) => !ids.includes(identity ?? ''));
  expect(missing).toEqual([]);
  expect(ids.length).toBe(new Set(ids).size);
  expect(outOfOrder(stored.map(({ identity }) => identity))).toEqual([]);
  expect((await client('hall').stats()).accounts).toEqual([]);
  expect([...ways].sort()).toEqual(['b', 'up']);
  expect(answered.length).toBeGreaterThan(200);
  expect(await Promise.all([...nodes.values()].map((node) => node.kill('SIGTERM')))).toEqual([0, 0, 0, 0]);
  folder.remove();
});

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
