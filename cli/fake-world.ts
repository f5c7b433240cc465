/** For tests: a world whose output is text to look at. */
import type { World } from './world.ts';

export class FakeWorld implements World {
  readonly env: Record<string, string | undefined> = {};
  readonly cwd: string;
  readonly stop = new AbortController();
  isTty = false;
  /** What stdin has. */
  input: Uint8Array[] = [];
  /** Writes to stdout that find a reader. */
  readsLeft = Number.POSITIVE_INFINITY;
  #out: Uint8Array[] = [];
  err = '';

  constructor(cwd: string) {
    this.cwd = cwd;
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  get out(): string {
    return this.outBytes.toString();
  }

  get outBytes(): Buffer {
    return Buffer.concat(this.#out);
  }

  get stdin(): AsyncIterable<Uint8Array> {
    return asyncOf(this.input);
  }

  async stdout(data: string | Uint8Array): Promise<boolean> {
    if (this.readsLeft <= 0) return false;
    this.readsLeft -= 1;
    this.#out.push(Buffer.from(data));
    return true;
  }

  async stderr(text: string): Promise<boolean> {
    this.err += text;
    return true;
  }
}

async function* asyncOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
