/** All targets, and what once broke one. */
import { DECODERS } from './decoders.ts';
import type { FuzzTarget } from './engine.ts';
import { WORLDS } from './worlds.ts';

export { type Finding, type FuzzReport, fuzz, Judge } from './engine.ts';
export { REGRESSIONS } from './regressions.ts';

export const TARGETS: readonly FuzzTarget[] = [...DECODERS, ...WORLDS];
