import { expect, test } from 'vitest';
import { stream } from '../random.ts';
import { Visited } from './visited.ts';

test('says of each row once that it is new, also when it has grown many times', () => {
  const random = stream(1, 'visited');
  const visited = new Visited();
  const rows = new Set<string>();
  for (let at = 0; at < 200_000; at++) {
    const row = Int32Array.of(random.int(300), random.int(300), random.int(3));
    const text = row.join();
    if (visited.add(row) !== !rows.has(text)) expect.fail(`${text} is ${rows.has(text) ? 'known' : 'new'}`);
    rows.add(text);
  }
  expect(visited.count).toBe(rows.size);
});
