import { expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { systemRandom } from '../shared/node/random.ts';
import { randomContract } from './random.contract.ts';

randomContract('operating system', () => systemRandom);
randomContract('simulator', () => stream(1, 'random contract'));

test('the simulator can be told again, the operating system cannot', () => {
  expect(stream(1, 'a').bytes(32)).toEqual(stream(1, 'a').bytes(32));
  expect(systemRandom.bytes(32)).not.toEqual(systemRandom.bytes(32));
});
