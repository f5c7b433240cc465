/**
 * Bundles the exploration with the core it explores. Node runs no TypeScript before version 22; and what the core keeps private has to
 * be seen, to tell two states apart: `#name` becomes an ordinary field `hidden_name` on the way (hardware-sim/explore/hidden.ts).
 */
import { readFileSync } from 'node:fs';
import { bundleModule } from '../bundle-module.mjs';

/** A private name: not within a word, not at the begin of a text. */
const PRIVATE_NAME = /(?<![\w$'"`/#])#([A-Za-z_]\w*)/g;

/** An index takes its memory in these portions: small ones here, where a ring holds a few messages and is made a million times. */
const PORTION = /(CHUNK_SLOTS|BUCKETS_MIN) = 2048;/;

const openHidden = {
  name: 'open-hidden',
  setup(build) {
    build.onLoad({ filter: /[/\\](shared|hardware-sim)[/\\].*\.ts$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8').replace(PRIVATE_NAME, 'hidden_$1').replace(PORTION, '$1 = 16;');
      return { contents, loader: 'ts' };
    });
  },
};

/** @returns {Promise<{ file: string, remove: () => void }>} an ES module that exports what hardware-sim/explore/explore.ts does */
export function bundleExploration() {
  return bundleModule('explore', { entryPoints: ['hardware-sim/explore/explore.ts'], plugins: [openHidden] });
}
