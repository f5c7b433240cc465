import { describe, expect, test } from 'vitest';
import { lineBench as bench, bytesOf, run } from './line-bench.ts';
import { KEPT_PACKETS_MAX, ManInTheMiddle } from './line-mitm.ts';
import { bodyOf, LinkWorld } from './link-world.ts';
import { stream } from './random.ts';

describe('somebody on the line', () => {
  const listened = () => {
    const it = bench();
    const man = new ManInTheMiddle(stream(1, 'man'));
    man.on(it.pair);
    it.pair.a.write(Uint8Array.of(0, 1, 2, 3, 0, 0, 4, 0));
    it.pair.b.write(Uint8Array.of(0, 9, 9, 0));
    run(it, 100);
    return { it, man };
  };

  test('keeps every packet of both ways, and changes nothing', () => {
    const { it, man } = listened();
    expect(man.kept.map(({ way, bytes }) => [way, [...bytes]])).toEqual(
      expect.arrayContaining([
        ['aToB', [1, 2, 3]],
        ['aToB', [4]],
        ['bToA', [9, 9]],
      ]),
    );
    expect([bytesOf(it.a), bytesOf(it.b)]).toEqual([
      [0, 9, 9, 0],
      [0, 1, 2, 3, 0, 0, 4, 0],
    ]);
  });

  test('says an old packet again, back to its sender, or cut short, between delimiters', () => {
    const { it, man } = listened();
    const [packet] = man.kept.filter(({ bytes }) => bytes.length === 3);
    if (packet === undefined) throw new Error('it was kept');
    it.a.chunks.length = 0;
    it.b.chunks.length = 0;
    man.replay(packet);
    run(it, 10);
    man.reflect(packet);
    run(it, 10);
    expect([bytesOf(it.a), bytesOf(it.b)]).toEqual([
      [0, 1, 2, 3, 0],
      [0, 1, 2, 3, 0],
    ]);
    it.b.chunks.length = 0;
    man.truncate(packet);
    run(it, 10);
    expect(bytesOf(it.b).length).toBeLessThan(5);
    expect(bytesOf(it.b).at(-1)).toBe(0);
  });

  test('keeps no more than so many', () => {
    const it = bench({ baud: undefined });
    const man = new ManInTheMiddle(stream(1, 'man'));
    man.on(it.pair);
    for (let i = 0; i < 2 * KEPT_PACKETS_MAX; i++) it.pair.a.write(Uint8Array.of(0, 1 + (i % 255), 0));
    run(it, 1_000);
    expect(man.kept).toHaveLength(KEPT_PACKETS_MAX);
    expect(man.kept.at(-1)?.bytes[0]).toBe(1 + ((2 * KEPT_PACKETS_MAX - 1) % 255));
  });
});

describe('a link under replay, reflection and truncation', () => {
  test.each(Array.from({ length: 6 }, (_, seed) => [seed]))('stores everything once, in order (seed %i)', (seed) => {
    const w = new LinkWorld({ seed, baud: 115_200 });
    const man = new ManInTheMiddle(stream(seed, 'man'));
    // The wiretap of this world believes every WELCOME; here some are said twice.
    w.tap.on = (line) => line;
    w.start();
    for (let session = 0; session < 4; session++) {
      if (w.lines !== undefined) man.on(w.lines);
      for (let i = 0; i < 12; i++) {
        w.device.send('gateway/bags', bodyOf(100 * session + i, 20 + 17 * i), i % 8);
        w.run(7);
        man.mischief();
      }
      w.run(300);
      for (let i = 0; i < 40; i++) man.mischief();
      w.until(() => w.isDelivered(), 120_000);
      w.check();
      // A new line and, on it, a new session: what is said there now are packets of former ones, too.
      w.lines?.cut();
      w.run(20);
      w.connect();
    }
    if (w.lines !== undefined) man.on(w.lines);
    w.run(5_000);
    for (const packet of man.kept) {
      man.replay(packet);
      man.reflect(packet);
      w.run(50);
    }
    w.run(60_000);
    w.check();
    expect(w.gateway.count('bags')).toBe(w.device.accepted.length);
    expect(man.kept.length).toBeGreaterThan(50);
    // It still works: somebody who says old packets cannot end it for good.
    w.device.send('gateway/bags', bodyOf(999, 99));
    w.until(() => w.isDelivered(), 120_000);
    w.check();
  });
});
