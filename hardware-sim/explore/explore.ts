/** What the command and the tests of the exploration use, in one bundle (scripts/explore/bundle.mjs). */
export { CONFIGS, type Config } from './configs.ts';
export { CustodyWorld } from './custody-world.ts';
export { LinkWorld } from './link-world.ts';
export { type SearchResult, search } from './search.ts';
export { WEAKENINGS } from './weakenings.ts';
export type { World } from './world.ts';
