/** What stdin has, to its end. */
import { concatBytes } from '../shared/bytes.ts';
import { RingmailError } from '../shared/errors.ts';
import type { World } from './world.ts';

/** All of stdin; undefined when asked to end before it did. @throws MESSAGE_TOO_LARGE before it fills the memory */
export function readAll({ stdin, signal }: World, bytesMax: number): Promise<Uint8Array | undefined> {
  const interrupted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  return Promise.race([readToEnd(stdin, bytesMax), interrupted]);
}

async function readToEnd(stdin: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes, bytesMax });
    chunks.push(chunk);
  }
  return concatBytes(chunks);
}
