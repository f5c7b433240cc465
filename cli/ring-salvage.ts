/** `ringmail ring salvage`: what can be saved of a ring goes into a new one. */
import { resolve } from 'node:path';
import { RingmailError } from '../shared/errors.ts';
import { formatSize } from '../shared/node/config/sizes.ts';
import { makeRing } from '../shared/node/make-ring.ts';
import { systemRandom } from '../shared/node/random.ts';
import { openForReading, type RingReader, type Running, readThrough } from '../shared/node/read-ring.ts';
import { fileBytesOf, geometryFor, type RingGeometry } from '../shared/ring/geometry.ts';
import {
  findSalvage,
  LOST_NAMES_MAX,
  type Salvage,
  type SalvageDepth,
  type Saved,
  writeSalvage,
} from '../shared/ring/salvage.ts';
import { fileBytesFor, holds, NewLog } from '../shared/ring/salvage-log.ts';
import { defineCommand, usage } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { RingNames } from './ring-names.ts';
import { blockBytesOption, sizeOption } from './ring-options.ts';
import { runningOf } from './ring-progress.ts';

export const ringSalvage = defineCommand(
  {
    name: 'ring salvage',
    summary: 'write what can be saved of a ring file into a new one',
    operands: '<ring> <new-ring>',
    operandCount: { min: 2, max: 2 },
    options: {
      deep: { type: 'boolean', help: 'look at every block of the file, also without any superblock' },
      'block-bytes': { type: 'string', value: 'bytes', help: 'with --deep: size of a block, where no superblock says it' },
      size: { type: 'string', value: 'size', help: 'length of the new ring; that of the old one, or more if it must be' },
      json: { type: 'boolean', help: 'print what was saved and what was not as one line of JSON' },
    },
    notes: [
      'The old ring is only read. The new one is a copy: a node that opens it begins a new incarnation.',
      'Exit code 0 when everything was saved, 8 when something was lost, 9 when nothing can be made of the file.',
    ],
  },
  async ({ values, operands: [from = '', to = ''] }, world) => {
    if (values['block-bytes'] !== undefined && values.deep !== true) throw usage('--block-bytes needs --deep');
    const blockBytes = values['block-bytes'] === undefined ? undefined : blockBytesOption(values['block-bytes']);
    const size = values.size === undefined ? undefined : sizeOption('--size', values.size);
    const file = openForReading(resolve(world.cwd, from));
    try {
      const running = runningOf(world, { tool: 'salvage', fileBytes: file.size });
      const depth = values.deep ? 'deep' : 'read';
      const salvage = await readThrough(findSalvage(file, { depth, blockBytes }), file, running);
      const made = { depth, ...(await write(salvage, { path: resolve(world.cwd, to), size, file, running })) } as const;
      await world.stdout(values.json ? `${JSON.stringify(asJson(made))}\n` : asText(made));
      return made.saved.lostCount === 0 && salvage.framesMissing === 0 ? EXIT.ok : EXIT.damaged;
    } finally {
      file.close();
    }
  },
);

interface Made {
  /** What was asked for. */
  readonly depth: SalvageDepth;
  readonly salvage: Salvage;
  readonly saved: Saved;
  readonly path: string;
  readonly bytes: number;
}

async function write(
  salvage: Salvage,
  to: { path: string; size: number | undefined; file: RingReader; running: Running },
): Promise<Omit<Made, 'depth'>> {
  const { path, file, running } = to;
  const geometry = geometryOf(salvage, path, to.size);
  const { epoch, nextId, queueTimeMs } = salvage;
  const fileId = systemRandom.bytes(16);
  const log = new NewLog({ geometry, fileId, checksum: file.checksum, epoch, nextId, queueTimeMs, path });
  const saved = await makeRing(path, { geometry, replace: 'never', running }, (filling) =>
    filling.run(writeSalvage(salvage, log), file),
  );
  return { salvage, saved, path, bytes: fileBytesOf(geometry) };
}

/** @throws RING_TOO_SMALL, MESSAGE_TOO_LARGE */
function geometryOf({ contents, geometry: old, source }: Salvage, path: string, size: number | undefined): RingGeometry {
  const { blockBytes } = old;
  const load = { liveBytes: contents.bytes, bodyBytes: contents.bodyBytesMax, blockBytes };
  const bytesNeeded = fileBytesFor(load);
  if (bytesNeeded === undefined) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: load.bodyBytes, bytesMax: 0 });
  const bytes = size ?? Math.max(source.size, bytesNeeded);
  const geometry = geometryFor(bytes, blockBytes);
  if (!holds(geometry, load)) throw new RingmailError('RING_TOO_SMALL', { path, bytes, bytesNeeded });
  return geometry;
}

function asJson({ salvage, saved, path, bytes }: Made): object {
  return {
    path,
    bytes,
    depth: salvage.depth,
    by: salvage.by,
    changedWhileRead: saved.reading === 'moved',
    framesFound: salvage.framesFound,
    framesMissing: salvage.framesMissing,
    idsMissing: salvage.idsMissing,
    messages: saved.messages,
    fromOlderCopies: saved.fromOlderCopies,
    mayHaveEnded: salvage.mayHaveEnded,
    inDoubt: saved.inDoubt,
    endedMeanwhile: saved.endedMeanwhile,
    metas: saved.metas,
    lostMessages: saved.lostCount,
    lost: saved.lost.map(({ id, queue, stream, number, priority, bodyBytes }) => ({
      id,
      queue,
      stream,
      number,
      priority,
      bodyBytes,
    })),
  };
}

function asText({ depth, salvage, saved, path, bytes }: Made): string {
  const names = new RingNames([...salvage.contents.metas.withPrefix('')].map(([key, value]) => ({ key, value })));
  const lines = [
    ...(salvage.by === 'frames' ? ['no superblock is whole: block size and seed were found in the frames'] : []),
    ...(depth !== salvage.depth
      ? ['the ring is written to all the time: --deep needs it at rest; saved is what an opening finds']
      : []),
    ...(saved.reading === 'moved' ? ['the ring changed while it was read'] : []),
    `frames     ${salvage.framesFound} found, ${salvage.framesMissing} missing, with ${salvage.idsMissing} message ids that were seen nowhere`,
    `messages   ${saved.messages} saved, ${saved.fromOlderCopies} of them from older copies`,
    ...(salvage.mayHaveEnded > 0
      ? [`           ${salvage.mayHaveEnded} may have ended before: what moved or ended them is lost`]
      : []),
    ...(saved.inDoubt > 0 ? [`           ${saved.inDoubt} of a write that was not finished`] : []),
    ...(saved.endedMeanwhile > 0 ? [`           ${saved.endedMeanwhile} left the ring meanwhile`] : []),
    `meta       ${saved.metas} keys saved`,
    ...saved.lost.map(
      (one) => `lost       message ${one.id}: ${names.queue(one.queue)}, ${names.stream(one.stream)} number ${one.number}`,
    ),
    ...(saved.lostCount > LOST_NAMES_MAX ? [`lost       and ${saved.lostCount - LOST_NAMES_MAX} more`] : []),
    `${path}: ${formatSize(bytes)}, ${saved.messages} messages saved, ${saved.lostCount} lost`,
  ];
  return `${lines.join('\n')}\n`;
}
