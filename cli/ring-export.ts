/** `ringmail ring export`: everything a ring holds as lines of JSON. */
import * as fs from 'node:fs';
import { resolve } from 'node:path';
import { RingmailError } from '../shared/errors.ts';
import { decodeEnvelope } from '../shared/message/envelope.ts';
import { identityText } from '../shared/message/identity.ts';
import { uncovered } from '../shared/message/shared-envelope.ts';
import { openForReading, type RingReader, type Running, readThrough } from '../shared/node/read-ring.ts';
import { fileBytesOf } from '../shared/ring/geometry.ts';
import { countersOf, epochOf } from '../shared/ring/inspect.ts';
import { type FollowedBody, Follower, readView } from '../shared/ring/inspect-view.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { base64, type ExportCounts, endLine, headerLine, lostLine, messageLine, metaLine } from './ring-lines.ts';
import { runningOf } from './ring-progress.ts';

export const ringExport = defineCommand(
  {
    name: 'ring export',
    summary: 'print everything a ring file holds as lines of JSON',
    operands: '<ring>',
    operandCount: { min: 1, max: 1 },
    options: {
      out: { type: 'string', short: 'o', value: 'file', help: 'write into this new file instead of stdout' },
      decode: { type: 'boolean', help: 'add what the envelope of each message says, for people' },
    },
    notes: [
      'The ring is only read. An export holds what the ring holds, the secret of its node too: guard it like the ring.',
      'Exit code 0 when every message was written, 8 when some are damaged (lines of kind "lost").',
    ],
  },
  async ({ values, operands: [name = ''] }, world) => {
    const file = openForReading(resolve(world.cwd, name));
    try {
      const running = runningOf(world, { tool: 'export', fileBytes: file.size });
      const job = { file, running, form: values.decode ? ('decoded' as const) : ('plain' as const) };
      if (values.out === undefined) return exitOf(await exportLines(job, (line) => world.stdout(line)));
      const path = resolve(world.cwd, values.out);
      const counts = await intoFile(path, (write) => exportLines(job, write));
      if (counts !== 'closed')
        await world.stdout(`${path}: ${counts.messages} messages, ${counts.metas} META, ${counts.lost} lost\n`);
      return exitOf(counts);
    } finally {
      file.close();
    }
  },
);

function exitOf(counts: ExportCounts | 'closed'): number {
  if (counts === 'closed') return EXIT.outputClosed;
  return counts.lost === 0 ? EXIT.ok : EXIT.damaged;
}

type Write = (line: string) => Promise<boolean>;

async function exportLines(
  { file, running, form }: { file: RingReader; running: Running; form: 'plain' | 'decoded' },
  write: Write,
): Promise<ExportCounts | 'closed'> {
  const view = await readThrough(readView(file), file, running);
  const { geometry } = view.found.superblock;
  const counts = { messages: 0, metas: 0, lost: 0 };
  const header = {
    blockBytes: geometry.blockBytes,
    fileBytes: fileBytesOf(geometry),
    epoch: epochOf(view).counter,
    ...countersOf(view),
  };
  if (!(await write(headerLine(header)))) return 'closed';
  const metas = [...view.contents.metas.withPrefix('')].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, value] of metas) {
    if (!(await write(metaLine(key, value)))) return 'closed';
    counts.metas += 1;
  }
  const follower = new Follower(view);
  for (const id of view.contents.ids()) {
    const found = await readThrough(follower.body(id), file, running);
    if (found.kind === 'ended') continue;
    const isBody = found.kind === 'body';
    const envelope =
      isBody && form === 'decoded'
        ? await wholeOf(found, (holder) => readThrough(follower.body(holder), file, running))
        : undefined;
    const line = isBody ? messageLine(found.entry, found.body, envelope && decoded(envelope)) : lostLine(found.entry);
    if (!(await write(line))) return 'closed';
    counts[isBody ? 'messages' : 'lost'] += 1;
  }
  return (await write(endLine(counts))) ? counts : 'closed';
}

/** The envelope of a message: with its body, where another message keeps that. */
async function wholeOf(
  { entry, body }: Extract<FollowedBody, { kind: 'body' }>,
  bodyOf: (id: number) => Promise<FollowedBody>,
): Promise<Uint8Array> {
  const isPlace = entry.holder !== undefined && entry.holder !== entry.id;
  const held = isPlace && entry.holder !== undefined ? await bodyOf(entry.holder).catch(() => undefined) : undefined;
  if (held?.kind !== 'body') return body;
  try {
    return uncovered(body, held.body) ?? body;
  } catch (error) {
    if (error instanceof RingmailError) return body;
    throw error;
  }
}

/** What an envelope says; nothing for a body that is none. */
function decoded(bytes: Uint8Array): object {
  try {
    const { message, hop } = decodeEnvelope(bytes);
    const { identity, epoch, body, headers, unknown: _, ...properties } = message;
    return {
      envelope: {
        identity: identityText(identity),
        ...properties,
        ...(headers && { headers: Object.fromEntries(headers) }),
        epoch,
        hops: hop.count,
        elapsedMs: hop.elapsedMs,
        body: base64(body),
      },
    };
  } catch (error) {
    if (error instanceof RingmailError) return {};
    throw error;
  }
}

/** A new file, readable by its owner alone. What was begun and not finished is removed. */
async function intoFile<T>(path: string, work: (write: Write) => Promise<T>): Promise<T> {
  const fd = openNew(path);
  try {
    const result = await work((line) => {
      const bytes = Buffer.from(line);
      for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
      return Promise.resolve(true);
    });
    fs.fsyncSync(fd);
    return result;
  } catch (error) {
    fs.unlinkSync(path);
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

function openNew(path: string): number {
  try {
    return fs.openSync(path, 'wx', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new RingmailError('RING_EXISTS', { path });
    throw new RingmailError('RING_UNAVAILABLE', { path, reason: message });
  }
}
