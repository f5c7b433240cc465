/** AC-53 on real file systems: each trouble has its own reason. Needs root: it mounts file systems and becomes nobody. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLI, temporaryFolder } from '../child.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const folder = temporaryFolder('acceptance');
const mount = join(folder.path, 'mount');
const mountFailure = isRoot ? undefined : 'only root may mount';

function ringmail(args: readonly string[], uid = 0): string {
  const { stderr, status } = spawnSync(process.execPath, [CLI, ...args], { cwd: '/', encoding: 'utf8', uid });
  return `${status} ${stderr}`;
}

beforeAll(() => {
  mkdirSync(mount);
  chmodSync(folder.path, 0o755);
  if (isRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'ringmail-acceptance', mount]);
});
afterAll(() => {
  if (isRoot) execFileSync('umount', [mount]);
  folder.remove();
});

test('AC-53 no space is ENOSPC, and leaves nothing behind', (context) => {
  context.skip(mountFailure !== undefined, mountFailure);
  expect(ringmail(['ring', 'create', join(mount, 'a.ring'), '2MiB', '--allow-volatile'])).toMatch(
    /RING_UNAVAILABLE[\s\S]*ENOSPC/,
  );
  expect(ringmail(['ring', 'inspect', join(mount, 'a.ring')])).toMatch(/RING_NOT_FOUND/);
});

test('AC-53 a read-only file system is EROFS', (context) => {
  context.skip(mountFailure !== undefined, mountFailure);
  execFileSync('mount', ['-o', 'remount,ro', mount]);
  expect(ringmail(['ring', 'create', join(mount, 'b.ring'), '2MiB', '--allow-volatile'])).toMatch(/RING_UNAVAILABLE[\s\S]*EROFS/);
});

test('AC-53 no rights are EACCES', (context) => {
  context.skip(!isRoot, 'only root may become nobody');
  expect(ringmail(['ring', 'create', join(folder.path, 'c.ring'), '2MiB', '--allow-volatile'], NOBODY)).toMatch(
    /RING_UNAVAILABLE[\s\S]*EACCES/,
  );
});
