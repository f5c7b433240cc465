/** Whether a file would survive a power cut at all: file systems that live in memory do not keep what they are given. */
import { existsSync } from 'node:fs';
import { readFile, realpath, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RingmailError } from '../errors.ts';

/** `f_type` of statfs(2) [linux/magic.h]. */
const IN_MEMORY: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x958458f6, 'hugetlbfs'],
]);
const OVERLAY = 0x794c7630;
/** Block devices that are memory: compressed swap-like ones, and the RAM disk. */
const MEMORY_DEVICE = /^\/dev\/(zram|ram)\d/;

/** @throws RING_VOLATILE when what is written at `path` lives in memory and nobody allowed that */
export async function refuseVolatile(path: string, volatile: 'refuse' | 'allow'): Promise<'sync' | 'volatile'> {
  const fileSystem = await volatileFileSystem(path);
  if (fileSystem === undefined) return 'sync';
  if (volatile === 'refuse') throw new RingmailError('RING_VOLATILE', { path, fileSystem });
  return 'volatile';
}

/**
 * The file system in memory that `path`, or else its directory, lies on; undefined when it is on a medium, as far as can be known:
 * inside a container the upper directory of its overlay is out of sight.
 */
export async function volatileFileSystem(path: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  const place = await realpath(existsSync(path) ? path : dirname(path));
  const type = (await statfs(place)).type;
  const direct = IN_MEMORY.get(type);
  if (direct !== undefined) return direct;
  const mount = mountOf(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''), place);
  if (mount === undefined) return undefined;
  if (MEMORY_DEVICE.test(mount.source)) return mount.source;
  const upper = type === OVERLAY ? mount.upperDirectory : undefined;
  if (upper === undefined || !existsSync(upper)) return undefined;
  const below = IN_MEMORY.get((await statfs(upper)).type);
  return below && `overlay on ${below}`;
}

export interface Mount {
  readonly point: string;
  readonly source: string;
  readonly upperDirectory: string | undefined;
}

/** The mount that holds an absolute path, from the text of /proc/self/mountinfo [proc(5)]. The last one of a place is on top. */
export function mountOf(mountInfo: string, path: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of mountInfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = unescaped(before.split(' ')[4] ?? '');
    const isAbove = point === '/' || path === point || path.startsWith(`${point}/`);
    if (point === '' || !isAbove || (found !== undefined && point.length < found.point.length)) continue;
    const [, source = '', options = ''] = after.split(' ');
    const upper = options.split(',').find((option) => option.startsWith('upperdir='));
    found = { point, source: unescaped(source), upperDirectory: upper && unescaped(upper.slice('upperdir='.length)) };
  }
  return found;
}

/** Blanks and backslashes stand there as octal: `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
