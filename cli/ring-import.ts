/** `ringmail ring import`: a new ring from what `ringmail ring export` wrote. */
import * as fs from 'node:fs';
import { resolve } from 'node:path';
import { crc32 } from '../shared/crc32.ts';
import { RingmailError } from '../shared/errors.ts';
import { fastChecksum } from '../shared/node/checksum.ts';
import { formatSize } from '../shared/node/config/sizes.ts';
import { makeRing } from '../shared/node/make-ring.ts';
import { systemRandom } from '../shared/node/random.ts';
import { fileBytesOf, geometryFor } from '../shared/ring/geometry.ts';
import { NewLog } from '../shared/ring/salvage-log.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { type ExportCounts, type ExportHeader, type ExportLine, parseLine } from './ring-lines.ts';
import { sizeOption } from './ring-options.ts';
import type { World } from './world.ts';

/** Above the longest line of an export: a body of 512 KiB in base64, and its envelope decoded. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

export const ringImport = defineCommand(
  {
    name: 'ring import',
    summary: 'make a new ring file from an export',
    operands: '<new-ring> <file | ->',
    operandCount: { min: 2, max: 2 },
    options: {
      size: { type: 'string', value: 'size', help: 'length of the new ring; that of the exported one by default' },
      partial: { type: 'boolean', help: 'take a file that was cut short for what is left of it' },
    },
    notes: [
      'Ids, names, counts and times are kept. The new ring is a copy: a node that opens it begins a new incarnation.',
      'A file without its last line was cut short and is refused (EXPORT_INVALID) unless --partial. - reads stdin.',
    ],
  },
  async ({ values, operands: [to = '', from = ''] }, world) => {
    const path = resolve(world.cwd, to);
    const size = values.size === undefined ? undefined : sizeOption('--size', values.size);
    const name = from === '-' ? 'stdin' : resolve(world.cwd, from);
    const lines = new ExportReader(name, linesOf(from === '-' ? world.stdin : openExport(name), name));
    const { counts, bytes, ending } = await importLines(lines, { path, size, ending: values.partial ? 'any' : 'whole' }, world);
    const note = ending === 'cut' ? ', of a file that was cut short' : '';
    await world.stdout(`${path}: ${formatSize(bytes)}, ${counts.messages} messages, ${counts.metas} META${note}\n`);
    return ending === 'cut' || counts.lost > 0 ? EXIT.damaged : EXIT.ok;
  },
);

async function importLines(
  lines: ExportReader,
  to: { path: string; size: number | undefined; ending: 'whole' | 'any' },
  world: World,
): Promise<{ counts: ExportCounts; bytes: number; ending: 'whole' | 'cut' }> {
  const header = await lines.header();
  const { blockBytes, fileBytes, epoch, nextId, queueTimeMs } = header;
  const geometry = geometryFor(to.size ?? fileBytes, blockBytes);
  const checksum = fastChecksum(crc32);
  const log = new NewLog({ geometry, checksum, path: to.path, fileId: systemRandom.bytes(16), epoch, nextId, queueTimeMs });
  return makeRing(to.path, { geometry, replace: 'never', running: { signal: world.signal } }, async ({ run }) => {
    const seen = { messages: 0, metas: 0, lost: 0 };
    const ids = new Set<number>();
    for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
      world.signal.throwIfAborted();
      if (line.kind === 'header') throw lines.invalid('a second header');
      if (line.kind === 'end') {
        const isSame = line.messages === seen.messages && line.metas === seen.metas && line.lost === seen.lost;
        if (!isSame) throw lines.invalid('the counts are not those of the lines before');
        if ((await lines.next()) !== undefined) throw lines.invalid('something stands behind the end');
        await run(log.finish());
        return { counts: seen, bytes: fileBytesOf(geometry), ending: 'whole' };
      }
      if (line.kind === 'meta') await run(log.meta(line.key, line.value));
      if (line.kind === 'message') {
        if (line.entry.id >= nextId || ids.has(line.entry.id))
          throw lines.invalid(`id ${line.entry.id} is used twice, or not below nextId`);
        ids.add(line.entry.id);
        await run(log.put(line.entry, line.body));
      }
      seen[line.kind === 'meta' ? 'metas' : line.kind === 'message' ? 'messages' : 'lost'] += 1;
    }
    if (to.ending === 'whole')
      throw lines.invalid('the last line is missing: the file was cut short (--partial takes what is there)');
    await run(log.finish());
    return { counts: seen, bytes: fileBytesOf(geometry), ending: 'cut' };
  });
}

/** Lines of one export, with their numbers. */
class ExportReader {
  readonly #name: string;
  readonly #lines: AsyncGenerator<{ text: string; ending: 'whole' | 'cut' }>;
  #number = 0;

  constructor(name: string, lines: AsyncGenerator<{ text: string; ending: 'whole' | 'cut' }>) {
    this.#name = name;
    this.#lines = lines;
  }

  /** @throws EXPORT_INVALID */
  async header(): Promise<ExportHeader> {
    const first = await this.next();
    if (first?.kind !== 'header') throw this.invalid('not the first line of an export');
    return first;
  }

  /** Undefined at the end, also in the middle of a line. @throws EXPORT_INVALID */
  async next(): Promise<ExportLine | undefined> {
    const { value, done } = await this.#lines.next();
    if (done === true || value.ending === 'cut') return undefined;
    this.#number += 1;
    const line = parseLine(value.text);
    if (typeof line === 'string') throw this.invalid(line);
    return line;
  }

  invalid(reason: string): RingmailError<'EXPORT_INVALID'> {
    return new RingmailError('EXPORT_INVALID', { path: this.#name, line: this.#number, reason });
  }
}

/** @throws EXPORT_INVALID for a line that is longer than any of ours */
async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<{ text: string; ending: 'whole' | 'cut' }> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let number = 1;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      yield { text: Buffer.concat([...rest, chunk.subarray(from, end)]).toString('utf8'), ending: 'whole' };
      [rest, restBytes, from] = [[], 0, end + 1];
      number += 1;
    }
    rest.push(Buffer.from(chunk.subarray(from)));
    restBytes += chunk.length - from;
    if (restBytes > LINE_BYTES_MAX)
      throw new RingmailError('EXPORT_INVALID', { path: name, line: number, reason: 'the line is too long' });
  }
  if (restBytes > 0) yield { text: '', ending: 'cut' };
}

function openExport(path: string): AsyncIterable<Uint8Array> {
  try {
    return fs.createReadStream(path, { fd: fs.openSync(path, 'r') });
  } catch (error) {
    throw new RingmailError('RING_UNAVAILABLE', { path, reason: (error as Error).message });
  }
}
