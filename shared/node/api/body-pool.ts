/** Bodies of requests in memory, bounded one by one and together. */
import type { IncomingMessage } from 'node:http';
import { concatBytes } from '../../bytes.ts';
import { RingmailError } from '../../errors.ts';
import { BODY_BYTES_MAX } from './api-limits.ts';

/** Counts the bytes of bodies being read or served. */
export class BodyPool {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws BUSY when all bodies together would be too many bytes */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax)
      throw new RingmailError('BUSY', { pending: this.#bytes, pendingMax: this.#bytesMax });
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** The body of one request, for as long as it is served. */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #pool: BodyPool;
  #taken = 0;

  constructor(request: IncomingMessage, pool: BodyPool) {
    this.#request = request;
    this.#pool = pool;
  }

  /**
   * All of it. What is refused is read on and thrown away, so that the client gets to its answer; the time of a request bounds that.
   * @throws MESSAGE_TOO_LARGE as soon as it is known, BUSY, REQUEST_INVALID when it is encoded or ends early
   */
  read(): Promise<Uint8Array> {
    const { headers } = this.#request;
    const encoding = headers['content-encoding'];
    return new Promise((resolve, reject) => {
      const refuse = (error: unknown): void => {
        this.#request.removeAllListeners('data');
        this.#request.resume();
        reject(error);
      };
      const bytesSaid = Number(headers['content-length'] ?? 0);
      if (bytesSaid > BODY_BYTES_MAX) return refuse(tooLarge(bytesSaid));
      if (encoding !== undefined)
        return refuse(invalid(`Content-Encoding ${encoding} is not undone here: send the body as it is`));
      const chunks: Uint8Array[] = [];
      this.#request.on('data', (chunk: Uint8Array) => {
        try {
          this.#take(chunk.length);
          chunks.push(chunk);
        } catch (error) {
          refuse(error);
        }
      });
      this.#request.on('end', () => resolve(concatBytes(chunks)));
      // Also after an end, where it changes nothing.
      this.#request.on('error', () => reject(invalid('the body ended early')));
      this.#request.on('close', () => reject(invalid('the body ended early')));
    });
  }

  /** Served: its bytes count no longer. */
  release(): void {
    this.#pool.give(this.#taken);
    this.#taken = 0;
  }

  #take(bytes: number): void {
    if (this.#taken + bytes > BODY_BYTES_MAX) throw tooLarge(this.#taken + bytes);
    this.#pool.take(bytes);
    this.#taken += bytes;
  }
}

function tooLarge(bytes: number): RingmailError<'MESSAGE_TOO_LARGE'> {
  return new RingmailError('MESSAGE_TOO_LARGE', { bytes, bytesMax: BODY_BYTES_MAX });
}

function invalid(reason: string): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason });
}
