/** `ringmail ring`: tools for the ring file itself, whether a node has it open or not. */
import { hasCode } from '../shared/errors.ts';
import type { Command, CommandTable } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { defineGroup } from './group.ts';
import type { World } from './world.ts';

/** In the order of the help. */
const TOOLS: CommandTable = {
  inspect: async () => (await import('./ring-inspect.ts')).ringInspect,
  verify: async () => (await import('./ring-verify.ts')).ringVerify,
  salvage: async () => (await import('./ring-salvage.ts')).ringSalvage,
  export: async () => (await import('./ring-export.ts')).ringExport,
  import: async () => (await import('./ring-import.ts')).ringImport,
  resize: async () => (await import('./ring-resize.ts')).ringResize,
  create: async () => (await import('./ring-create.ts')).ringCreate,
};

export const ring = defineGroup({
  name: 'ring',
  summary: 'look into a ring file, check it, save what is in it, copy it, change its length',
  tools: TOOLS,
  notes: [
    'inspect, verify, salvage and export only read the ring, also while a node has it open.',
    'docs/ring-tools.md has examples.',
  ],
  run: endedBy,
});

/** A file that is no ring, and being asked to end, have exit codes of their own here. */
async function endedBy(tool: Command, argv: readonly string[], world: World): Promise<number> {
  try {
    return await tool.run(argv, world);
  } catch (error) {
    if (hasCode(error, 'RING_FOREIGN')) {
      const { path, reason } = error.details;
      await world.stderr(`ringmail: RING_FOREIGN\n  path: ${path}\n  reason: ${reason}\n`);
      if (!argv.includes('--deep')) await world.stderr('If it was a ring, try: ringmail ring salvage --deep\n');
      return EXIT.notRing;
    }
    if (world.signal.aborted && error === world.signal.reason) return EXIT.interrupted;
    throw error;
  }
}
