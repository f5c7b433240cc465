/** Compiles stall.c, which makes every sync of a process slow. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const COMPILERS = ['cc', 'gcc', 'clang'];

/** Environment of a process whose syncs take so much longer. Undefined, and said on stderr, where nothing here compiles C. */
export function slowSyncs(root: string, scratch: string, ms: number): Record<string, string> | undefined {
  const library = join(scratch, 'stall.so');
  const source = join(root, 'ring/stall.c');
  for (const compiler of COMPILERS) {
    const { error, status, stderr } = spawnSync(compiler, ['-O2', '-shared', '-fPIC', '-o', library, source, '-ldl']);
    if (error !== undefined) continue;
    if (status === 0) return { LD_PRELOAD: library, RINGMAIL_BENCH_SYNC_MS: String(ms) };
    process.stderr.write(`${compiler}: ${stderr}`);
  }
  process.stderr.write('stall: not measured, because no C compiler is here to build the library that delays syncs\n');
  return undefined;
}
