/** Two processes and one ring: the lock keeps the second out for as long as the first lives; who comes past the lock fences the other. */
import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { hasCode } from '../shared/errors.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { type LockMethod, lockFile } from '../shared/node/lock.ts';
import { temporaryFolder } from './child.ts';
import { bundleChild, RingChild } from './real-ring/children.ts';
import { batchOf, judge, lastBatchIn, NOTHING, readLedger } from './real-ring/ledger.ts';
import { fileWithoutLock, RealRing } from './real-ring/real-ring.ts';

const RING_BYTES = 388 * 4096;
const random = stream('ring-lock', 'test');

let folder: ReturnType<typeof temporaryFolder>;
let path = '';
let script = '';
let child: RingChild | undefined;

beforeEach(async () => {
  folder = temporaryFolder('ring-lock');
  path = join(folder.path, 'ring');
  script = await bundleChild(folder.path);
  await createRing(path, { fileBytes: RING_BYTES, fileId: random.bytes(16), volatile: 'allow' });
});
afterEach(async () => {
  await child?.kill();
  folder.remove();
});

const open = () => RealRing.open(path, { epochRandom: random.uint32(), volatile: 'allow' });

async function ownerNamed(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return hasCode(error, 'RING_LOCKED') ? error.details.owner : undefined;
}

describe('the lock', () => {
  test.each<LockMethod>(['flock', 'socket', 'file'])(
    'by %s keeps a second process out, also while the first is stopped, and ends with its kill -9',
    async (method) => {
      child = new RingChild(script, ['hold', path, method]);
      await child.said(new RegExp(`held ${method}`));
      const fd = openSync(path, 'r+');
      const attempt = () => lockFile({ fd, path }, [method]);
      expect(await ownerNamed(attempt())).toMatch(new RegExp(`^process ${child.pid} `));
      await child.stop();
      expect(await ownerNamed(attempt())).toMatch(new RegExp(`^process ${child.pid} `));
      await child.kill();
      const lock = await attempt();
      expect(lock.method).toBe(method);
      lock.release();
      expect(existsSync(`${path}.lock`)).toBe(false);
    },
  );

  test('keeps a second owner of a ring out while the first is stopped; once it is killed all it told is there', async () => {
    const ledger = join(folder.path, 'ledger');
    child = new RingChild(script, ['write', path, ledger, 'first', '0']);
    for (let round = 0; round < 5; round++) {
      await child.said(/open/);
      expect(await ownerNamed(open())).toMatch(new RegExp(`^process ${child.pid} `));
      await child.stop();
      expect(await ownerNamed(open())).toMatch(new RegExp(`^process ${child.pid} `));
      child.continue();
    }
    await child.kill();
    const real = await open();
    expect((await judge(real, NOTHING, { life: 'first', told: readLedger(ledger) })).problems).toEqual([]);
    await real.close();
  });
});

describe('the fence', () => {
  const RESTED = 40;

  test.each([0, 1, 30, 900])(
    'stops an owner whose ring another one opened past its lock and wrote %i batches to, before it writes anything',
    async (batches) => {
      const ledger = join(folder.path, 'ledger');
      child = new RingChild(script, ['write', path, ledger, 'first', String(RESTED)]);
      await child.said(/resting/);
      await child.stop();
      const told = readLedger(ledger);
      expect(told.durable).toBe(RESTED);

      const file = fileWithoutLock({ fd: openSync(path, 'r+'), size: RING_BYTES });
      const second = await RealRing.open(path, { epochRandom: random.uint32(), volatile: 'allow', file });
      expect((await judge(second, NOTHING, { life: 'first', told })).problems).toEqual([]);
      const more = Array.from({ length: batches }, (_, i) => ({
        k: RESTED + 1 + i,
        puts: [{ number: 10_000 + i, bytes: random.int(4000) }],
        acks: i < 20 ? [] : [10_000 + i - 20],
        padBytes: random.int(100),
      }));
      const ids = new Map<number, number>();
      for (const batch of more) {
        const { outcome, slots } = await second.append(
          batchOf(
            'first',
            batch,
            batch.acks.map((number) => ids.get(number) ?? 0),
          ),
        );
        expect(outcome).toBe('durable');
        ids.set(batch.puts[0]?.number ?? 0, second.ring.index.id(slots[0] ?? 0));
      }

      child.continue();
      child.goOn();
      await child.said(/stopped .*another owner has written to the ring file/);
      expect(readLedger(ledger).durable, 'nothing more was called durable').toBe(RESTED);
      // The second one never noticed.
      expect((await second.append({ metas: [{ key: 'second', value: new Uint8Array(10) }] })).outcome).toBe('durable');
      await second.close();
      await child.kill();

      const real = await open();
      const all = { batches: [...told.batches, ...more], durable: RESTED + batches, notes: [] };
      expect((await judge(real, NOTHING, { life: 'first', told: all })).problems).toEqual([]);
      expect(lastBatchIn(real.ring)).toBe(RESTED + batches);
      await real.close();
    },
  );
});
