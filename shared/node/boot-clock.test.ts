import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toHex } from '../bytes.ts';
import { bootClock } from './boot-clock.ts';

test('the boot is known by its id, its time only grows, and what is no id is not taken for one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringmail-boot-'));
  try {
    const path = join(folder, 'boot_id');
    expect(bootClock(path)).toBeUndefined();
    writeFileSync(path, '6f2ba2b5-02b2-4f0d-93a1-c1a5a1d1c0de\n');
    const [first, second] = [bootClock(path), bootClock(path)];
    expect(first && toHex(first.bootId)).toBe('6f2ba2b502b24f0d93a1c1a5a1d1c0de');
    expect(first?.bootMs).toSatisfy(Number.isSafeInteger);
    expect(second?.bootMs).toBeGreaterThanOrEqual(first?.bootMs ?? Number.NaN);
    writeFileSync(path, '6f2ba2b5\n');
    expect(bootClock(path)).toBeUndefined();
  } finally {
    await rm(folder, { recursive: true });
  }
});
