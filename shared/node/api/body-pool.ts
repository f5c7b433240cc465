/** Bodies of requests in memory, bounded one by one and together. */
import type { IncomingMessage } from 'node:http';
import { concatBytes } from '../../bytes.ts';
import { RingmailError } from '../../errors.ts';
import type { ClientAccount } from './client-account.ts';

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
  readonly #client: ClientAccount;
  readonly #onRead: () => void;
  #taken = 0;

  /** `onRead` is called when the body is wanted, and not known to be too large: a client may wait for that before it sends it. */
  constructor(request: IncomingMessage, of: { pool: BodyPool; client: ClientAccount; onRead: () => void }) {
    this.#request = request;
    this.#pool = of.pool;
    this.#client = of.client;
    this.#onRead = of.onRead;
  }

  /**
   * All of it. What is refused is read on and thrown away, so that the client gets to its answer; the time of a request bounds that.
   * @throws MESSAGE_TOO_LARGE as soon as it is known, BUSY, REQUEST_INVALID when it is encoded or ends early
   */
  read(bytesMax: number): Promise<Uint8Array> {
    const { headers } = this.#request;
    const encoding = headers['content-encoding'];
    return new Promise((resolve, reject) => {
      const refuse = (error: unknown): void => {
        this.#request.removeAllListeners('data');
        this.#request.resume();
        reject(error);
      };
      const bytesSaid = Number(headers['content-length'] ?? 0);
      if (bytesSaid > bytesMax) return refuse(tooLarge(bytesSaid, bytesMax));
      if (encoding !== undefined)
        return refuse(invalid(`Content-Encoding ${encoding} is not undone here: send the body as it is`));
      this.#onRead();
      const chunks: Uint8Array[] = [];
      this.#request.on('data', (chunk: Uint8Array) => {
        try {
          this.#take(chunk.length, bytesMax);
          chunks.push(chunk);
        } catch (error) {
          refuse(error);
        }
      });
      let isWhole = false;
      this.#request.on('end', () => {
        isWhole = true;
        resolve(concatBytes(chunks));
      });
      const broken = (): void => {
        if (!isWhole) reject(invalid('the body ended early'));
      };
      this.#request.on('error', broken);
      this.#request.on('close', broken);
    });
  }

  /** Served: its bytes count no longer. */
  release(): void {
    this.#pool.give(this.#taken);
    this.#client.give('bodyBytes', this.#taken);
    this.#taken = 0;
  }

  #take(bytes: number, bytesMax: number): void {
    if (this.#taken + bytes > bytesMax) throw tooLarge(this.#taken + bytes, bytesMax);
    this.#client.take('bodyBytes', bytes);
    try {
      this.#pool.take(bytes);
    } catch (error) {
      this.#client.give('bodyBytes', bytes);
      throw error;
    }
    this.#taken += bytes;
  }
}

function tooLarge(bytes: number, bytesMax: number): RingmailError<'MESSAGE_TOO_LARGE'> {
  return new RingmailError('MESSAGE_TOO_LARGE', { bytes, bytesMax });
}

function invalid(reason: string): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason });
}
