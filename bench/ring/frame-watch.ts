/**
 * Stands between a ring and its file and counts blocks: all that frames took, and what they would have taken without the copies of
 * cleaning. A copy says so in its entry; META of the ring's own, which nobody sets while this counts, is one too.
 */
import type { Fence, RingFile } from '../../shared/ports.ts';
import { type DirectoryEntry, decodeDirectory, entryBytes } from '../../shared/ring/entry-layout.ts';
import { FRAME_HEADER_BYTES } from '../../shared/ring/frame-layout.ts';

const MAGIC = 0x31464d52;
const BLOCK_BYTES = 4096;

export class FrameWatch implements RingFile {
  readonly size: number;
  readonly #file: RingFile;
  blocks = 0;
  newBlocks = 0;
  /** Start of a frame that goes on at the front of the ring. */
  #begun: Uint8Array | undefined;

  constructor(file: RingFile) {
    this.size = file.size;
    this.#file = file;
  }

  reset(): void {
    this.blocks = 0;
    this.newBlocks = 0;
  }

  read(offset: number, into: Uint8Array): void | Promise<void> {
    return this.#file.read(offset, into);
  }

  writeDurable(offset: number, bytes: Uint8Array, fence?: Fence): void | Promise<void> {
    this.#count(this.#begun === undefined ? bytes : Buffer.concat([this.#begun, bytes]));
    return fence === undefined ? this.#file.writeDurable(offset, bytes) : this.#file.writeDurable(offset, bytes, fence);
  }

  close(): void | Promise<void> {
    return this.#file.close();
  }

  #count(bytes: Uint8Array): void {
    this.#begun = undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint32(0, true) !== MAGIC) return; // a superblock
    const dirEnd = FRAME_HEADER_BYTES + view.getUint32(36, true);
    const blocks = Math.ceil((dirEnd + view.getUint32(40, true)) / BLOCK_BYTES);
    if (bytes.length < blocks * BLOCK_BYTES) {
      this.#begun = bytes.slice();
      return;
    }
    const entries = decodeDirectory(bytes.subarray(0, dirEnd), FRAME_HEADER_BYTES, view.getUint16(14, true));
    if (entries === undefined) throw new Error('a frame that cannot be read');
    const newBytes = entries.reduce((sum, entry) => sum + newBytesOf(entry), 0);
    this.blocks += blocks;
    this.newBlocks += newBytes === 0 ? 0 : Math.ceil((FRAME_HEADER_BYTES + newBytes) / BLOCK_BYTES);
  }
}

function newBytesOf(entry: DirectoryEntry): number {
  if (entry.kind === 'meta') return 0;
  if (entry.kind !== 'put') return entryBytes(entry);
  return entry.copy ? 0 : entryBytes(entry) + entry.bodyBytes;
}
