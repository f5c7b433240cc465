/**
 * Where it is measured. As root: an ext4 file system of its own on a loop device, so that its counters count nobody else:
 *
 *   image, every byte written ─▶ mkfs.ext4 ─▶ losetup ─▶ mount ─▶ losetup -d: the device goes with the mount
 *
 * The image has no holes: else whoever writes to new places would pay for the host's allocation. Otherwise: a directory, and the
 * counters of the device below it if the kernel shows them, in which others' writes count too.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { volatileFileSystem } from '../../shared/node/volatile.ts';

export interface Bed {
  readonly directory: string;
  /** Counters of the device below, if the kernel shows them. Another device after `remount`. */
  statPath(): string | undefined;
  readonly device: 'own' | 'shared';
  /** Takes the file system away and brings it back: nothing of it is in memory any more. Does nothing on a shared one. */
  remount(): void;
  /** Leaves nothing behind. May be called twice. */
  remove(): void;
}

const CHUNK_BYTES = 4 * 1024 * 1024;
const MOUNT_POINT = 'mounted';
const UMOUNT_ATTEMPTS = 50;

/** `within`: where image or directory is made; undefined for the system's place for temporary files. */
export async function makeBed(
  within: string | undefined,
  imageBytes: number,
  whenBegun: (remove: () => void) => void,
): Promise<Bed> {
  const home = mkdtempSync(join(await lastingDirectory(within), 'ringmail-bench-'));
  const remove = () => {
    if (isMounted(home)) unmount(join(home, MOUNT_POINT));
    rmSync(home, { recursive: true, force: true });
  };
  whenBegun(remove);
  if (process.getuid?.() === 0) {
    try {
      return { ...(await mountImage(home, imageBytes)), remove };
    } catch (error) {
      say(`no loop device of our own (${error instanceof Error ? error.message : error}): rows say sharedDevice`);
    }
  } else {
    say('not root, so no loop device of our own: rows say sharedDevice');
  }
  const directory = join(home, 'shared');
  mkdirSync(directory, { recursive: true });
  return {
    directory,
    statPath: () => statPathBelow(directory),
    device: 'shared',
    remount: () => {},
    remove,
  };
}

/** Bytes that lie in memory say nothing about a medium. */
async function lastingDirectory(within: string | undefined): Promise<string> {
  const wanted = within ?? tmpdir();
  mkdirSync(wanted, { recursive: true });
  const memory = await volatileFileSystem(wanted);
  if (memory === undefined) return wanted;
  if (within === undefined) return process.cwd();
  say(`${wanted} lies in memory (${memory}): syncs cost next to nothing there, and the figures are those of no medium`);
  return wanted;
}

async function mountImage(home: string, imageBytes: number): Promise<Omit<Bed, 'remove'>> {
  const image = join(home, 'image');
  const point = join(home, MOUNT_POINT);
  mkdirSync(point);
  say(`making an ext4 image of ${imageBytes / 1024 / 1024} MiB`);
  await writeZeros(image, imageBytes);
  run('mkfs.ext4', ['-q', '-F', '-b', '4096', '-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0', image]);
  mount(image, point);
  return {
    directory: point,
    statPath: () => statPathBelow(point),
    device: 'own',
    remount: () => {
      unmount(point);
      mount(image, point);
    },
  };
}

function isMounted(home: string): boolean {
  const point = join(home, MOUNT_POINT);
  return existsSync(point) && statSync(point).dev !== statSync(home).dev;
}

function mount(image: string, point: string): void {
  const device = run('losetup', ['--find', '--show', image]).trim();
  try {
    run('mount', ['-t', 'ext4', '-o', 'noatime', device, point]);
  } finally {
    spawnSync('losetup', ['--detach', device]); // once nobody uses it any more, which is at the unmount
  }
}

/** A process that was just killed may hold its files for a moment. */
function unmount(point: string): void {
  for (let attempt = 1; ; attempt++) {
    const { status, stderr } = spawnSync('umount', [point], { encoding: 'utf8' });
    if (status === 0) return;
    if (attempt === UMOUNT_ATTEMPTS) throw new Error(`umount ${point}: ${stderr.trim()}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}

function run(command: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command}: ${stderr.trim()}`);
  return stdout;
}

/** Not in one go, so that an interrupt is heard. */
async function writeZeros(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  const zeros = new Uint8Array(CHUNK_BYTES);
  for (let offset = 0; offset < bytes; offset += CHUNK_BYTES) {
    await file.write(zeros, 0, Math.min(CHUNK_BYTES, bytes - offset), offset);
  }
  await file.sync();
  await file.close();
}

/** Counters of the block device, or partition, that a directory lies on. */
function statPathBelow(directory: string): string | undefined {
  const { dev } = statSync(directory);
  // [gnu_dev_major, gnu_dev_minor: the low 32 bits of both]
  const path = `/sys/dev/block/${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}/stat`;
  return existsSync(path) ? path : undefined;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
