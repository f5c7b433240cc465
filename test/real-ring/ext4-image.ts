/**
 * A file system in a file, and power cuts of it: a copy of the file, taken while whoever writes there is stopped, holds what the file
 * system has given to its device by then. What is only in the page cache is not in it.
 *
 *   image ──mount──▶ point      copy of the image ──mount──▶ another point: journal replayed, as after a reboot
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const IMAGE_BYTES = 32 * 1024 * 1024;
/** The file system may write on its own; a copy made meanwhile would be of no moment at all. */
const COPY_ATTEMPTS = 10;
const UMOUNT_ATTEMPTS = 50;

/** Why there are no images here; undefined when there are. */
export function imagesMissing(): string | undefined {
  if (process.platform !== 'linux') return 'no loop-mounted ext4: not Linux';
  if (process.getuid?.() !== 0) return 'no loop-mounted ext4: not root';
  const bed = new ImageBed();
  try {
    bed.mount(bed.make());
    return undefined;
  } catch (error) {
    return `no loop-mounted ext4: ${error instanceof Error ? error.message : error}`;
  } finally {
    bed.remove();
  }
}

/** Images, and the places where they are mounted. `remove` takes everything away. */
export class ImageBed {
  readonly folder = mkdtempSync(join(tmpdir(), 'ringmail-images-'));
  readonly #points: string[] = [];
  #count = 0;

  /** A fresh ext4. */
  make(): string {
    const image = join(this.folder, `image-${++this.#count}`);
    writeFileSync(image, '');
    truncateSync(image, IMAGE_BYTES);
    run('mkfs.ext4', ['-q', '-F', '-b', '4096', '-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0', image]);
    return image;
  }

  /** Returns where. */
  mount(image: string): string {
    const point = join(this.folder, `point-${++this.#count}`);
    mkdirSync(point);
    run('mount', ['-t', 'ext4', '-o', 'loop', image, point]);
    this.#points.push(point);
    return point;
  }

  /** The file system writes back all it has, as it may at any moment. */
  writeBack(point: string): void {
    run('sync', ['--file-system', point]);
  }

  /** What a power cut at this moment would leave. */
  cut(image: string): string {
    const copy = join(this.folder, `cut-${++this.#count}`);
    for (let attempt = 1; ; attempt++) {
      copyFileSync(image, copy);
      if (readFileSync(image).equals(readFileSync(copy))) return copy;
      if (attempt === COPY_ATTEMPTS) throw new Error('the image does not come to rest');
    }
  }

  /** Takes a mounted image away; the file too. */
  discard(point: string, image: string): void {
    this.#unmount(point);
    rmSync(image);
  }

  remove(): void {
    for (const point of [...this.#points].reverse()) this.#unmount(point);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #unmount(point: string): void {
    const at = this.#points.indexOf(point);
    if (at < 0) return;
    let problem = '';
    for (let attempt = 0; attempt < UMOUNT_ATTEMPTS; attempt++) {
      const { status, stderr } = spawnSync('umount', [point], { encoding: 'utf8' });
      if (status === 0) {
        this.#points.splice(at, 1);
        rmSync(point, { recursive: true });
        return;
      }
      problem = stderr;
      spawnSync('sleep', ['0.05']); // a process that was just killed may still hold it
    }
    spawnSync('umount', ['--lazy', point]);
    throw new Error(`cannot unmount ${point}: ${problem}`);
  }
}

function run(program: string, args: readonly string[]): void {
  const { error, status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${program}: ${error.message}`);
  if (status !== 0) throw new Error(`${program}: ${stderr.trim()}`);
}

/** Why nobody can be made to skip syncs here; undefined when somebody can: the library of that name swallows them all, O_DSYNC too. */
export function eatmydataMissing(): string | undefined {
  return spawnSync('eatmydata', ['true']).status === 0 ? undefined : 'no eatmydata on this machine';
}
