/** `ringmail ring inspect`: what a ring file is, what it holds, and what opening it would do. */
import { resolve } from 'node:path';
import { toHex } from '../shared/bytes.ts';
import { formatSize } from '../shared/node/config/sizes.ts';
import { openForReading, readThrough } from '../shared/node/read-ring.ts';
import { type OwnerSeen, ownerSeen } from '../shared/node/ring-owner.ts';
import { type Inspection, inspectRing } from '../shared/ring/inspect.ts';
import { blockOffset } from '../shared/ring/inspect-superblocks.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { RingNames } from './ring-names.ts';
import { runningOf } from './ring-progress.ts';

export const ringInspect = defineCommand(
  {
    name: 'ring inspect',
    summary: 'show what a ring file is, what it holds, and what opening it would do',
    operands: '<ring>',
    operandCount: { min: 1, max: 1 },
    options: {
      frames: { type: 'boolean', help: 'list every frame of the log' },
      meta: { type: 'boolean', help: 'list every META key and the bytes of its value' },
      json: { type: 'boolean', help: 'print all of it as one line of JSON' },
    },
    notes: [
      'Nothing is written, also while a node has the ring open. Exit code 0, whatever is wrong in it: ringmail ring verify tells.',
    ],
  },
  async ({ values, operands: [name = ''] }, world) => {
    const path = resolve(world.cwd, name);
    const file = openForReading(path);
    try {
      const inspection = await readThrough(inspectRing(file), file, runningOf(world, { tool: 'inspect', fileBytes: file.size }));
      const shown = {
        file,
        inspection,
        owner: ownerSeen(path),
        lists: { frames: values.frames === true, meta: values.meta === true },
      };
      await world.stdout(values.json ? `${JSON.stringify(asJson(shown))}\n` : asText(shown));
      return EXIT.ok;
    } finally {
      file.close();
    }
  },
);

interface Shown {
  readonly file: { readonly path: string; readonly size: number };
  readonly inspection: Inspection;
  readonly owner: OwnerSeen;
  readonly lists: { readonly frames: boolean; readonly meta: boolean };
}

function asJson({ file, inspection: i, owner, lists }: Shown): object {
  const names = new RingNames(i.metas);
  return {
    path: file.path,
    bytes: file.size,
    owner,
    live: owner === 'held' || i.reading === 'moved',
    changedWhileRead: i.reading === 'moved',
    format: i.superblock.formatMajor,
    fileId: toHex(i.superblock.fileId),
    node: names.node ?? null,
    superblocks: i.superblocks.map(({ copy, offset, state, holds, superblock }) => {
      return { copy, offset, state, holds, ...(superblock && { generation: superblock.generation, epoch: superblock.epoch }) };
    }),
    geometry: i.geometry,
    epoch: { counter: i.epoch.counter, random: i.epoch.random ?? null },
    closed: i.closed,
    log: {
      tailLsn: i.tailLsn,
      endLsn: i.endLsn,
      blocks: i.endLsn - i.tailLsn,
      frames: i.frameCounts,
      gaps: i.gaps.map((gap) => ({ ...gap, offset: blockOffset(i.geometry, gap.lsn) })),
      tornBlocks: i.tornBlocks,
    },
    messages: i.messages,
    sharedBodies: i.sharedBodies,
    queues: i.queues.map((queue) => ({ ...queue, name: names.queue(queue.queue) })),
    meta: { keys: i.metas.length, bytes: i.metaBytes },
    liveBytes: i.liveBytes,
    liveBytesMax: i.liveBytesMax,
    freeBlocks: i.freeBlocks,
    nextId: i.nextId,
    queueTimeMs: i.queueTimeMs,
    opening: i.opening,
    ...(lists.meta && { metas: i.metas.map(({ key, value }) => ({ key, bytes: value.length })) }),
    ...(lists.frames && { frames: i.frames }),
  };
}

const OWNER_TEXT: Readonly<Record<OwnerSeen, string>> = {
  held: 'in use',
  none: 'no owner in sight',
  unknown: 'whether it is in use is not known here',
};

function asText({ file, inspection: i, owner, lists }: Shown): string {
  const { geometry: g } = i;
  const names = new RingNames(i.metas);
  const { data, open, copies } = i.frameCounts;
  const random = i.epoch.random === undefined ? '' : `.${i.epoch.random}`;
  const share = Math.floor((100 * i.liveBytes) / i.liveBytesMax);
  const lines = [
    `ring        ${file.path}, ${formatSize(file.size)}, format ${i.superblock.formatMajor}, ${OWNER_TEXT[owner]}`,
    ...(i.reading === 'moved' ? ['            the ring changed while it was read: figures are of one moment'] : []),
    `node        ${names.node ?? 'none yet'}`,
    `file id     ${toHex(i.superblock.fileId)}`,
    ...i.superblocks.map(({ copy, state, holds, superblock }) => {
      const what = superblock === undefined ? state : `generation ${superblock.generation}, epoch ${superblock.epoch}`;
      return `superblock  copy ${copy}: ${what}${holds ? ', holds' : ''}`;
    }),
    `geometry    ${g.blockCount} blocks of ${g.blockBytes} B, frames of at most ${g.frameBlocksMax}, ${g.livePermille / 10} % may live`,
    `epoch       ${i.epoch.counter}${random}, ${i.closed === 'clean' ? 'closed clean' : 'not closed clean'}`,
    `log         blocks ${i.tailLsn} to ${i.endLsn}: ${i.frames.length} frames (${data} DATA, ${open} OPEN, ${copies} COPIES)`,
    ...i.gaps.map((gap) => `gap         at block ${gap.lsn}: ${gap.framesLost} frames, ${gap.idsLost} message ids`),
    ...(i.tornBlocks > 0 ? [`torn        ${i.tornBlocks} blocks at the end: a write that was not finished`] : []),
    `messages    ${i.messages}, next id ${i.nextId}`,
    ...i.queues.map(
      ({ queue, messages, bodyBytes }) => `            ${names.queue(queue)}: ${messages}, ${formatSize(bodyBytes)}`,
    ),
    ...(i.sharedBodies > 0 ? [`            ${i.sharedBodies} bodies that several of them share`] : []),
    `meta        ${i.metas.length} keys, ${formatSize(i.metaBytes)}`,
    `live        ${formatSize(i.liveBytes)} of ${formatSize(i.liveBytesMax)} (${share} %), ${i.freeBlocks} of ${g.blockCount} blocks free`,
    `opening     epoch ${i.opening.epoch}, says ${i.opening.relogged} entries again, durable tail ${i.opening.durableTailLsn}`,
    ...(lists.meta ? i.metas.map(({ key, value }) => `key         ${key}: ${value.length} B`) : []),
    ...(lists.frames ? frameLines(i) : []),
  ];
  return `${lines.join('\n')}\n`;
}

function frameLines({ frames }: Inspection): string[] {
  return frames.map(({ lsn, seq, kind, epoch, blocks, counts: c }) => {
    const what = `${c.puts} puts (${c.copies} copies), ${c.acks} acks, ${c.states} states, ${c.metas} metas`;
    return `frame       lsn ${lsn}, seq ${seq}, ${kind.toUpperCase()}, epoch ${epoch}, ${blocks} blocks: ${what}`;
  });
}
