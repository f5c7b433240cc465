/** The targets of fuzzing, with what they try. */
import { bundleModule } from '../bundle-module.mjs';

/** @returns {Promise<{ file: string, remove: () => void }>} an ES module that exports what hardware-sim/fuzz/fuzz.ts does */
export function bundleFuzz() {
  return bundleModule('fuzz', { entryPoints: ['hardware-sim/fuzz/fuzz.ts'], external: ['serialport', 'mqtt', 'aedes'] });
}
