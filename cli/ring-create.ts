/** `ringmail ring create`: an empty ring file. */
import { resolve } from 'node:path';
import { formatSize } from '../shared/node/config/sizes.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { systemRandom } from '../shared/node/random.ts';
import { fileBytesOf } from '../shared/ring/geometry.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { blockBytesOption, sizeOption } from './ring-options.ts';

export const ringCreate = defineCommand(
  {
    name: 'ring create',
    summary: 'make an empty ring file',
    operands: '<new-ring> <size>',
    operandCount: { min: 2, max: 2 },
    options: {
      'block-bytes': { type: 'string', value: 'bytes', help: 'size of a block, a power of two from 512 to 65536; 4096' },
      'allow-volatile': { type: 'boolean', help: 'also on a file system in memory, where a power cut empties it' },
    },
    notes: ['A node makes its ring itself when it is not there; this is for who wants to do it before.'],
  },
  async ({ values, operands: [name = '', size = ''] }, world) => {
    const path = resolve(world.cwd, name);
    const blockBytes = blockBytesOption(values['block-bytes'] ?? '4096');
    const volatile = values['allow-volatile'] ? 'allow' : 'refuse';
    const geometry = await createRing(path, {
      fileBytes: sizeOption('size', size),
      fileId: systemRandom.bytes(16),
      blockBytes,
      volatile,
    });
    await world.stdout(`${path}: ${formatSize(fileBytesOf(geometry))}, ${geometry.blockCount} blocks of ${blockBytes} B\n`);
    return EXIT.ok;
  },
);
