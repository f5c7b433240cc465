/** Killed or interrupted, nothing is left mounted and nobody left running. */
import { Worker } from './worker.ts';

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Returns what stops listening. */
export function cleanUpOnSignals(remove: () => void): () => void {
  const stops = Object.entries(SIGNALS).map(([signal, code]) => {
    const stop = () => {
      process.stderr.write('interrupted\n');
      void killWorkers().then(() => {
        remove();
        process.exit(code);
      });
    };
    process.on(signal, stop);
    return () => process.off(signal, stop);
  });
  return () => {
    for (const stop of stops) stop();
  };
}

export async function killWorkers(): Promise<void> {
  await Promise.all([...Worker.alive].map((worker) => worker.kill()));
}
