/** The site that applications are tested in: the library's verbs, and time that passes only while somebody waits. */
import { expect, test } from 'vitest';
import { SimSite } from './sim-site.ts';

const DAY_MS = 86_400_000;

test('time stands still between two calls, and passes where it is waited for', async () => {
  const site = new SimSite('still');
  const box = site.node('box');
  await box.send('bags', 'a');
  const { nowMs } = site;
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(site.nowMs).toBe(nowMs);
  expect(await box.receive('notes', { waitMs: DAY_MS })).toBeUndefined();
  expect(site.nowMs).toBeGreaterThanOrEqual(nowMs + DAY_MS);
  await site.pass(DAY_MS);
  expect(site.nowMs).toBeGreaterThanOrEqual(nowMs + 2 * DAY_MS);
  expect((await box.peek('bags'))?.value()).toBe('a');
});

test('several wait at once, and each is answered in its time', async () => {
  const site = new SimSite('several');
  const box = site.node('box');
  const order: string[] = [];
  const waits = [
    box.receive('late', { waitMs: DAY_MS }).then(() => order.push('late')),
    box.receive('early', { waitMs: DAY_MS / 2 }).then(() => order.push('early')),
    site.pass(3 * DAY_MS).then(() => order.push('passed')),
  ];
  await Promise.all(waits);
  expect(order).toEqual(['early', 'late', 'passed']);
});

test('what was answered survives a power cut; who waits for an answer is told that the node stopped', async () => {
  const site = new SimSite('power');
  const [office, laptop] = [site.node('office'), site.node('laptop', { uplink: 'link', dateMs: 0 })];
  const cable = site.link(laptop, office);
  await site.pass(3_000);
  cable.unplug();
  await laptop.send('office/orders', 1);
  const waits = laptop.receive('prices', { waitMs: DAY_MS }).catch(({ code }: { code: string }) => code);
  laptop.powerOff();
  expect(await waits).toBe('NODE_STOPPED');
  await expect(laptop.send('office/orders', 2)).rejects.toMatchObject({ code: 'NODE_STOPPED' });
  laptop.powerOn();
  laptop.setClock(365 * DAY_MS);
  await laptop.send('office/orders', 3);
  cable.plug();
  const got = [await office.receive('orders', { waitMs: DAY_MS }), await office.receive('orders', { waitMs: DAY_MS })];
  expect(got.map((order) => order?.value())).toEqual([1, 3]);
});

test('the same seed is the same run', async () => {
  const times = [];
  for (let i = 0; i < 2; i++) {
    const site = new SimSite('again');
    const box = site.node('box');
    for (let n = 0; n < 10; n++) await box.send('bags', n);
    times.push(site.nowMs);
  }
  expect(times[0]).toBe(times[1]);
});
