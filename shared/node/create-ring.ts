/** Makes a new, empty ring file. */
import { existsSync } from 'node:fs';
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import { formatRing } from '../ring/file-steps.ts';
import { geometryFor, type RingGeometry } from '../ring/geometry.ts';
import { makeRing } from './make-ring.ts';
import { refuseVolatile } from './volatile.ts';

export interface CreateRingOptions {
  /** At most; rounded down to whole blocks. */
  readonly fileBytes: number;
  /** 16 random bytes: what tells this file's frames from all others. */
  readonly fileId: Uint8Array;
  readonly blockBytes?: number;
  readonly volatile?: 'refuse' | 'allow';
}

const FILE_ID_BYTES = 16;

/**
 * Makes a new ring file: real zeros, so that no later write changes the file system's own tables or finds no space. Never touches one
 * that is there.
 * @throws RING_SIZE_INVALID, RING_EXISTS, RING_LOCKED while another process makes it, RING_VOLATILE, RING_UNAVAILABLE
 */
export async function createRing(path: string, options: CreateRingOptions): Promise<RingGeometry> {
  invariant(options.fileId.length === FILE_ID_BYTES, 'a file id has 16 bytes');
  const geometry = geometryFor(options.fileBytes, options.blockBytes);
  if (existsSync(path)) throw new RingmailError('RING_EXISTS', { path });
  await refuseVolatile(path, options.volatile ?? 'refuse').catch((error: unknown) => {
    if (error instanceof RingmailError) throw error;
    throw new RingmailError('RING_UNAVAILABLE', { path, reason: error instanceof Error ? error.message : String(error) });
  });
  await makeRing(path, { geometry, replace: 'never' }, (file) => file.run(formatRing(geometry, options.fileId)));
  return geometry;
}
