/** `ringmail ring verify`: everything in a ring is read and checked. */
import { resolve } from 'node:path';
import { hasCode } from '../shared/errors.ts';
import { openForReading, readThrough } from '../shared/node/read-ring.ts';
import { ownerSeen } from '../shared/node/ring-owner.ts';
import {
  BODY_CHOICES,
  type BodyChoice,
  type Lost,
  type Problem,
  type Verification,
  verifyRing,
} from '../shared/ring/inspect-verify.ts';
import { defineCommand, usage } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { runningOf } from './ring-progress.ts';
import type { World } from './world.ts';

/** Names in one line of text; JSON has all of them. */
const NAMES_SHOWN = 8;

export const ringVerify = defineCommand(
  {
    name: 'ring verify',
    summary: 'read everything in a ring file, tell what is damaged and what that costs',
    operands: '<ring>',
    operandCount: { min: 1, max: 1 },
    options: {
      bodies: {
        type: 'string',
        value: 'which',
        help: 'check the bodies of all messages in the log, of live ones (default), or none',
      },
      json: { type: 'boolean', help: 'one line of JSON per problem, and one with the summary at the end' },
    },
    notes: [
      'Nothing is written, also while a node has the ring open. Exit code 0 when nothing is wrong, 8 when something is damaged, ' +
        '9 when the file is no ring.',
    ],
  },
  async ({ values, operands: [name = ''] }, world) => {
    const bodies = BODY_CHOICES.find((choice) => choice === (values.bodies ?? 'live'));
    if (bodies === undefined) throw usage(`--bodies ${values.bodies}: one of ${BODY_CHOICES.join(', ')}`);
    return verify(resolve(world.cwd, name), { bodies, form: values.json ? 'json' : 'text' }, world);
  },
);

async function verify(path: string, how: { bodies: BodyChoice; form: 'json' | 'text' }, world: World): Promise<number> {
  const file = openForReading(path);
  try {
    const found = await readThrough(
      verifyRing(file, how.bodies),
      file,
      runningOf(world, { tool: 'verify', fileBytes: file.size }),
    );
    const isLive = ownerSeen(path) === 'held' || found.reading === 'moved';
    const lines = found.problems.map((problem) =>
      how.form === 'json' ? JSON.stringify({ kind: 'problem', ...problem }) : problemText(problem),
    );
    const summary = how.form === 'json' ? summaryJson(path, found, isLive) : summaryText(path, found);
    for (const line of [...lines, summary]) if (!(await world.stdout(`${line}\n`))) return EXIT.outputClosed;
    return found.problems.length === 0 ? EXIT.ok : EXIT.damaged;
  } catch (error) {
    if (!hasCode(error, 'RING_TRUNCATED')) throw error;
    const { bytes, bytesExpected } = error.details;
    const text = `${path}: RING_TRUNCATED: ${bytes} bytes, ${bytesExpected} expected`;
    await world.stdout(
      `${how.form === 'json' ? JSON.stringify({ kind: 'problem', code: 'RING_TRUNCATED', bytes, bytesExpected }) : text}\n`,
    );
    return EXIT.damaged;
  } finally {
    file.close();
  }
}

function summaryJson(path: string, found: Verification, isLive: boolean): string {
  const { problems, reading, ...counts } = found;
  return JSON.stringify({
    kind: 'summary',
    path,
    problems: problems.length,
    live: isLive,
    changedWhileRead: reading === 'moved',
    ...counts,
  });
}

function summaryText(path: string, found: Verification): string {
  const { problems, frames, blocks, messages, bodiesChecked, tornBlocks, reading } = found;
  const notes = [
    `${frames} frames in ${blocks} blocks, ${messages} messages, ${bodiesChecked} bodies checked`,
    ...(tornBlocks > 0 ? [`${tornBlocks} blocks of an unfinished write at the end`] : []),
    ...(reading === 'moved' ? ['the ring changed while it was read'] : []),
  ];
  return `${path}: ${problems.length === 0 ? 'nothing wrong' : `${problems.length} problems`} (${notes.join('; ')})`;
}

function problemText({ code, lsn, offset, bytes, lost }: Problem): string {
  const place = `${lsn === undefined ? '' : `block ${lsn}, `}byte ${offset}, ${bytes} B`;
  return `${code} at ${place}: ${lostText(lost)}`;
}

function lostText({ frames, ids, messages = [], metas = [], said }: Lost): string {
  const some = (names: readonly string[]) =>
    names.length > NAMES_SHOWN
      ? `${names.slice(0, NAMES_SHOWN).join(', ')} and ${names.length - NAMES_SHOWN} more`
      : names.join(', ');
  const parts = [
    ...(frames === undefined ? [] : [`${frames} frames`]),
    ...(ids === undefined ? [] : [`${ids.count} message ids of ${ids.from} to ${ids.to}`]),
    ...(messages.length === 0
      ? []
      : [`messages ${some(messages.map((one) => `${one.id} (stream ${one.stream} number ${one.number})`))}`]),
    ...(metas.length === 0 ? [] : [`META ${some(metas)}`]),
  ];
  if (parts.length === 0) return 'nothing is lost';
  return `lost: ${parts.join('; ')}${said === 'claimed' ? ' (as the damaged place says)' : ''}`;
}
