/** `ringmail ring resize`: a ring of another length, by copying. */
import { resolve } from 'node:path';
import { formatSize } from '../shared/node/config/sizes.ts';
import { systemRandom } from '../shared/node/random.ts';
import { type Resized, resizeRing } from '../shared/node/resize-ring.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { sizeOption } from './ring-options.ts';
import { runningOf } from './ring-progress.ts';

export const ringResize = defineCommand(
  {
    name: 'ring resize',
    summary: 'give a ring file another length, by copying what it holds',
    operands: '<ring> <size>',
    operandCount: { min: 2, max: 2 },
    options: { json: { type: 'boolean', help: 'print the result as one line of JSON' } },
    notes: [
      'Refused while a node has the ring (RING_LOCKED), and when what it holds does not fit (RING_TOO_SMALL says what would). ' +
        'A power cut leaves the old ring or the new one. Both need their space on the disk for a moment.',
    ],
  },
  async ({ values, operands: [name = '', size = ''] }, world) => {
    const path = resolve(world.cwd, name);
    const fileBytes = sizeOption('size', size);
    const running = runningOf(world, { tool: 'resize', fileBytes });
    const resized = await resizeRing(path, { fileBytes, fileId: systemRandom.bytes(16), running });
    await world.stdout(values.json ? `${JSON.stringify({ path, ...resized })}\n` : `${path}: ${asText(resized)}\n`);
    return EXIT.ok;
  },
);

function asText({ bytesBefore, bytes, messages, metas, home }: Resized): string {
  const note = home === 'copy' ? '; it was a copy already, its node will begin a new incarnation' : '';
  return `${formatSize(bytesBefore)} before, ${formatSize(bytes)} now, ${messages} messages, ${metas} META${note}`;
}
