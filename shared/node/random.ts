/** Chance of the operating system behind the Random port. */
import { randomBytes } from 'node:crypto';
import type { Random } from '../ports.ts';

export const systemRandom: Random = { bytes: (count) => new Uint8Array(randomBytes(count)) };
