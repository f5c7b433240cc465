import { expect, test } from 'vitest';
import { bodyOf, LinkWorld } from './link-world.ts';

test.each([[undefined], [115_200], [9_600]])('everything arrives once, in order (baud %s)', (baud) => {
  const w = new LinkWorld({ seed: 1, baud });
  w.start();
  for (let i = 0; i < 50; i++) w.device.send('gateway/bags', bodyOf(i, 20 + 3 * i), i % 5);
  const ms = w.until(() => w.gateway.count('bags') === 50 && w.device.outgoingCount === 0, 120_000);
  w.check();
  console.log(baud, ms, w.device.link.describe(), w.device.link.counters(), w.gateway.link.counters(), w.device.logs, w.tap.heard.length);
});
