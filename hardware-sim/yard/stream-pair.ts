/**
 * The two ends of a connection in virtual time, as byte streams of Node: what is written at one end is read at the other, in order,
 * later, and in other pieces.
 *
 *   client.write ─▶ [ on its way ] ─▶ [ arrived, unread ] ─▶ server 'readable'        and the same the other way
 *                   └── ROOM_BYTES at most, then the writer waits ──┘
 *
 *   end, destroy    the other end reads what is on its way, and then the end
 *   cut             the client knows at once, the server later; of what was on its way up some may still arrive
 *   silence         nothing arrives any more, and nobody is told
 */
import { Duplex } from 'node:stream';
import type { Prng } from '../random.ts';
import type { World } from '../world.ts';

/** What a connection takes in before its reader has read: about what a kernel buffers. */
const ROOM_BYTES = 65_536;
/** Chance that what was written at once arrives in two pieces. */
const SPLIT = 0.2;

export interface StreamPairOptions {
  readonly world: World;
  readonly random: Prng;
  /** Drawn for every write. Virtual milliseconds. */
  readonly delayMs: () => number;
}

export class StreamPair {
  readonly client: Duplex;
  readonly server: Duplex;
  readonly #world: World;
  readonly #up: Way;
  readonly #down: Way;

  constructor(options: StreamPairOptions) {
    this.#world = options.world;
    this.#up = new Way(options);
    this.#down = new Way(options);
    this.client = new End(this.#up, this.#down);
    this.server = new End(this.#down, this.#up);
  }

  get isOver(): boolean {
    return this.client.destroyed && this.server.destroyed;
  }

  /** Nothing arrives before then: the connection is being made. */
  openAt(atMs: number): void {
    this.#up.notBefore(atMs);
    this.#down.notBefore(atMs);
  }

  /** Breaks. The server notices after `noticeMs`; until then what is on its way up arrives, or is lost. */
  cut(options: { readonly noticeMs: number; readonly ascent: 'arrives' | 'lost' }): void {
    this.#down.lose();
    if (options.ascent === 'lost') this.#up.lose();
    this.client.destroy(failure('ECONNRESET'));
    this.#world.after(options.noticeMs, () => {
      this.#world.promised();
      this.server.destroy(failure('ECONNRESET'));
    });
  }

  /** Breaks for both, at once; nothing of it arrives. */
  crash(): void {
    this.silence();
    this.client.destroy(failure('ECONNRESET'));
    this.server.destroy();
  }

  /** Nobody is there. */
  refuse(): void {
    this.silence();
    this.client.destroy(failure('ECONNREFUSED'));
    this.server.destroy();
  }

  silence(): void {
    this.#up.lose();
    this.#down.lose();
  }
}

class End extends Duplex {
  readonly #out: Way;
  readonly #into: Way;

  constructor(out: Way, into: Way) {
    super({ allowHalfOpen: false });
    this.#out = out;
    this.#into = into;
    into.reader = this;
    // A connection may break before anybody has taken this end: then there is nobody to tell.
    this.on('error', () => {});
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#out.send(Uint8Array.from(chunk), done);
  }

  override _writev(chunks: { readonly chunk: Uint8Array }[], done: () => void): void {
    this.#out.send(Uint8Array.from(Buffer.concat(chunks.map(({ chunk }) => chunk))), done);
  }

  override _final(done: () => void): void {
    this.#out.end();
    done();
  }

  override _read(): void {
    this.#into.pump();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#out.end();
    done(error);
  }
}

/** One direction. */
class Way {
  reader: Duplex | undefined;
  readonly #options: StreamPairOptions;
  /** `null` is the end, as it is for a stream. */
  #onTheWay: (Uint8Array | null)[] = [];
  #arrived: (Uint8Array | null)[] = [];
  #bytes = 0;
  #lastAtMs = 0;
  #state: 'open' | 'ended' | 'lost' = 'open';
  #writer: (() => void) | undefined;

  constructor(options: StreamPairOptions) {
    this.#options = options;
  }

  notBefore(atMs: number): void {
    this.#lastAtMs = Math.max(this.#lastAtMs, atMs);
  }

  /** Calls `done` when the next may be written; never for bytes that wait at a broken connection. */
  send(bytes: Uint8Array, done: () => void): void {
    const { random } = this.#options;
    if (this.#state !== 'open') return done();
    const at = bytes.length > 1 && random.chance(SPLIT) ? 1 + random.int(bytes.length - 1) : bytes.length;
    for (const piece of [bytes.subarray(0, at), bytes.subarray(at)]) if (piece.length > 0) this.#depart(piece);
    this.#bytes += bytes.length;
    if (this.#bytes < ROOM_BYTES) done();
    else this.#writer = done;
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#depart(null);
  }

  lose(): void {
    this.#state = 'lost';
    this.#onTheWay = [];
    this.#arrived = [];
  }

  /** Gives the reader what it takes. */
  pump(): void {
    const { reader } = this;
    for (let wants = true; wants && this.#arrived.length > 0; ) {
      const piece = this.#arrived.shift() ?? null;
      this.#bytes -= piece?.length ?? 0;
      wants = reader === undefined || reader.destroyed || reader.push(piece);
    }
    const writer = this.#writer;
    if (writer === undefined || this.#bytes >= ROOM_BYTES) return;
    this.#writer = undefined;
    writer();
  }

  #depart(piece: Uint8Array | null): void {
    const { world, delayMs } = this.#options;
    this.#lastAtMs = Math.max(this.#lastAtMs, world.nowMs + delayMs());
    this.#onTheWay.push(piece);
    world.at(this.#lastAtMs, () => {
      world.promised();
      // Events of one instant may run in any order; what arrives is always the first on its way.
      const next = this.#onTheWay.shift();
      if (next === undefined) return;
      this.#arrived.push(next);
      if (this.#isRead) this.pump();
    });
  }

  /** A reader that holds enough asks again by itself. */
  get #isRead(): boolean {
    const { reader } = this;
    return reader === undefined || reader.destroyed || reader.readableLength < reader.readableHighWaterMark;
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(`connection: ${code}`), { code });
}
