/**
 * The floor: durable writes of whole 4 KiB blocks, one after the other round a preallocated file of zeros, without any format. What
 * is put in one turn of the event loop is copied into one write, as densely as it goes. Inline or in the thread pool, whichever is
 * faster here: tried for a moment before anything is measured.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Received, Subject, SubjectOptions } from './subject.ts';
import { Turn, type Waiting } from './turn.ts';

const BLOCK_BYTES = 4096;
const CHUNK_BYTES = 1024 * 1024;
const TRIAL_MS = 150;
const ACK_BYTES = 8;
const { O_RDWR, O_DSYNC } = fs.constants;

export async function openRaw({ directory, ringBytes, senders, bodyBytes }: SubjectOptions): Promise<Subject> {
  const path = join(directory, 'raw');
  writeZeros(path, ringBytes);
  const fd = fs.openSync(path, O_RDWR | O_DSYNC);
  const buffer = Buffer.alloc(Math.max(CHUNK_BYTES, BLOCK_BYTES));
  let offset = 0;
  let mode: 'inline' | 'pooled' = 'inline';

  const commit = (changes: readonly Waiting<Uint8Array>[]): void | Promise<void> => {
    let end = 0;
    for (const { change } of changes) {
      buffer.set(change, end);
      end += change.length;
    }
    const bytes = Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES;
    if (offset + bytes > ringBytes) offset = 0;
    const at = offset;
    offset += bytes;
    if (mode === 'inline') return void fs.writeSync(fd, buffer, 0, bytes, at);
    return new Promise((resolve, reject) => {
      fs.write(fd, buffer, 0, bytes, at, (error) => (error ? reject(error) : resolve()));
    });
  };
  const turn = new Turn<Uint8Array>(commit);
  const body = new Uint8Array(bodyBytes);

  const trial = async (): Promise<number> => {
    let count = 0;
    const endMs = performance.now() + TRIAL_MS;
    const one = async () => {
      for (; performance.now() < endMs; count++) await turn.add(body);
    };
    await Promise.all(Array.from({ length: senders }, one));
    return count;
  };
  await trial();
  const inline = await trial();
  mode = 'pooled';
  const pooled = await trial();
  if (inline >= pooled) mode = 'inline';

  const acked = new Uint8Array(ACK_BYTES);
  const message: Received = { id: 0, body };
  return {
    put: (_priority, bytes) => turn.add(bytes),
    receive: () => message,
    ack: () => turn.add(acked),
    close: async () => fs.closeSync(fd),
  };
}

function writeZeros(path: string, bytes: number): void {
  const fd = fs.openSync(path, 'wx');
  const zeros = new Uint8Array(CHUNK_BYTES);
  for (let offset = 0; offset < bytes; offset += CHUNK_BYTES)
    fs.writeSync(fd, zeros, 0, Math.min(CHUNK_BYTES, bytes - offset), offset);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}
