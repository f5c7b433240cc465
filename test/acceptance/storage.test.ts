/** AC-44 to AC-54: what the file under a node must bear (docs/msmq-parity.md). The ring's own tests show more of AC-50 and AC-51. */
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { openNode } from '../../shared/node/library.ts';
import { Application } from './application.ts';
import { inEveryWorld, SimWorld, type World } from './worlds.ts';

inEveryWorld((start) => {
  let world: World;
  let app: Application;
  beforeEach(async () => {
    world = await start();
    app = new Application(world);
  });
  afterEach(() => world.end());

  test('AC-44 ten times what a ring holds goes through it, counted to the byte', async () => {
    const stats = await app.ask({ verb: 'stats' });
    const bytesMax = stats.kind === 'stats' ? stats.stats.ring.bytesMax : 0;
    const body = new Uint8Array(8_000);
    let sent = 0;
    let bytes = 0;
    for (; bytes < 10 * bytesMax; bytes += 8 * body.length) {
      await Promise.all(Array.from({ length: 8 }, () => app.send('bags', body)));
      sent += 8;
      const queue = await app.queue('bags');
      expect(queue?.ready).toBe(8);
      expect(queue?.bytes).toBeGreaterThanOrEqual(8 * body.length);
      expect(queue?.bytes).toBeLessThan(8 * (body.length + 100));
      const leases = await Promise.all(Array.from({ length: 8 }, () => app.receive('bags', { waitMs: 60_000 })));
      expect(await Promise.all(leases.map((lease) => app.ack(lease)))).toEqual(Array(8).fill('done'));
      expect(await app.queue('bags')).toMatchObject({ ready: 0, leased: 0, bytes: 0 });
    }
    expect(sent).toBeGreaterThan(700);
  });

  test('AC-52 express messages are there when the node was stopped in order, and may be gone after a crash', async () => {
    const express = {
      verb: 'send' as const,
      destination: 'bags',
      body: Uint8Array.of(1),
      properties: {},
      delivery: 'express' as const,
    };
    expect(await app.ask(express)).toMatchObject({ kind: 'sent', durability: 'volatile' });
    expect(await app.queue('bags')).toMatchObject({ ready: 1 });
    await world.restart('closed');
    expect(await app.drain('bags')).toHaveLength(1);
    await app.ask(express);
    await app.send('bags', 'stays');
    await world.restart('killed');
    expect(await app.drain('bags')).toEqual(['stays']);
  });
});

test('AC-50 killed at every write of a node: what opens is what was acknowledged, and at most what was on its way', async () => {
  let writes = 0;
  for (let cut = 1; cut <= 24; cut++) {
    let seen = 0;
    const world: { box?: QueueBox } = {};
    const box = new QueueBox(
      `AC-50 ${cut}`,
      { queues: [{ name: 'bags', bytesLimit: 100_000 }] },
      {
        onDurable: () => {},
        onWriting: (node) => {
          seen += 1;
          if (seen === cut) world.box?.world.after(0.01, () => node.powerCut());
        },
      },
    );
    world.box = box;
    box.node.start();
    const answered: string[] = [];
    let asked = 0;
    for (; asked < 20 && box.node.isUp; asked++) {
      const result = await box.ask(box.sending('bags', `m${asked}`), 50);
      if (codeOf(result) === 'sent') answered.push(`m${asked}`);
    }
    writes = Math.max(writes, seen);
    if (box.node.isUp) box.node.powerCut();
    await box.start();
    const found = await box.drain('bags');
    const all = Array.from({ length: asked }, (_, i) => `m${i}`);
    expect(all.slice(0, found.length)).toEqual(found);
    expect(found.slice(0, answered.length)).toEqual(answered);
  }
  expect(writes).toBeGreaterThan(15);
});

test.each(['ENOSPC', 'EROFS'] as const)(
  'AC-53 a write that fails with %s says so: in doubt, never "not stored"',
  async (reason) => {
    const world = await SimWorld.start({ name: 'box', queues: [{ name: 'bags', bytesLimit: 100_000 }] });
    world.box.node.disk.failWrites(reason);
    const refused = await new Application(world).send('bags', 'a').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'IN_DOUBT', details: { reason: expect.stringContaining(reason) } });
    await world.end();
  },
);

test('AC-54 a copy made while the node ran opens, consistent, under a new identity', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringmail-copy-'));
  const ring = join(folder, 'box.ring');
  const copy = join(folder, 'copy.ring');
  const node = await openNode({ name: 'box', ring, ringBytes: 388 * 4096, allowVolatile: true });
  const identities: string[] = [];
  const sending = (async () => {
    for (let i = 0; i < 60; i++) identities.push(await node.send('bags', Uint8Array.of(i)));
  })();
  while (identities.length < 20) await new Promise((resolve) => setImmediate(resolve));
  const known = identities.length;
  copyFileSync(ring, copy);
  await sending;
  await node.close();
  const other = await openNode({ name: 'box', ring: copy, allowVolatile: true });
  const found: number[] = [];
  for (let got = await other.receive('bags'); got; got = await other.receive('bags')) {
    found.push(got.message.body[0] ?? -1);
    await got.ack();
  }
  expect(found.length).toBeGreaterThanOrEqual(known);
  expect(found).toEqual(Array.from({ length: found.length }, (_, i) => i));
  const own = await other.send('bags', Uint8Array.of(0));
  expect(own.split(':')[1]).not.toBe(identities[0]?.split(':')[1]);
  expect(statSync(copy).size).toBe(388 * 4096);
  await other.close();
  rmSync(folder, { recursive: true, force: true });
  expect(textOf(undefined)).toBeUndefined();
});
