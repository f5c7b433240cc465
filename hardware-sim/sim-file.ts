/** The file of a simulated disk behind the RingFile port, as one owner has it open. */
import type { Fence, RingFile } from '../shared/ports.ts';

/** A write on its way. `state` says what the port would have said. */
export interface SimWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
  state: 'pending' | 'durable' | 'failed';
  reason: string;
}

/** What a disk does for its files. */
export interface FileMedium {
  readonly bytes: number;
  /** @throws when the range leaves the file or cannot be read */
  read(offset: number, into: Uint8Array): void;
  /** `whenOver` is called when the state is no longer `pending`, maybe at once. */
  begin(file: SimFile, write: SimWrite, whenOver: () => void): void;
  fenceHolds(fence: Fence): boolean;
}

export class SimFile implements RingFile {
  readonly size: number;
  readonly #disk: FileMedium;
  #failure: string | undefined;
  #ending: 'open' | 'closed' = 'open';

  constructor(disk: FileMedium) {
    this.#disk = disk;
    this.size = disk.bytes;
  }

  read(offset: number, into: Uint8Array): void {
    if (this.#ending === 'closed') throw new Error('the file is closed');
    this.#disk.read(offset, into);
  }

  writeDurable(offset: number, bytes: Uint8Array, fence?: Fence): void | Promise<void> {
    let settle = () => {};
    const over = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const write = this.begin(offset, bytes, { fence, whenOver: settle });
    if (write.state === 'durable') return;
    if (write.state === 'failed') throw new Error(write.reason);
    return over.then(() => {
      if (write.state === 'failed') throw new Error(write.reason);
    });
  }

  /** `writeDurable` for who is synchronous: look at `state`. */
  begin(offset: number, bytes: Uint8Array, how: { fence?: Fence | undefined; whenOver?: () => void } = {}): SimWrite {
    const write: SimWrite = { offset, bytes: bytes.slice(), state: 'pending', reason: '' };
    const { fence } = how;
    if (this.#failure === undefined && fence !== undefined && !this.#disk.fenceHolds(fence)) this.fail('the fence does not hold');
    if (this.#ending === 'closed' || this.#failure !== undefined) {
      write.state = 'failed';
      write.reason = this.#failure ?? 'the file is closed';
      return write;
    }
    this.#disk.begin(this, write, how.whenOver ?? (() => {}));
    return write;
  }

  close(): void {
    this.#ending = 'closed';
  }

  /** For the disk: every later write fails. The first reason stands. */
  fail(reason: string): void {
    this.#failure ??= reason;
  }
}
