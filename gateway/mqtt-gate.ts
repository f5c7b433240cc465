/**
 * A client's byte stream on its way to the parser: a packet above the limit ends the connection at its header, and as long as enough is
 * held for this client nothing more is read from it. Bounds what one client takes, whatever the parser and the broker behind it do.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Refusal } from './mqtt-door.ts';
import { PacketLengths } from './packet-lengths.ts';

export interface GateLimits {
  readonly packetBytesMax: number;
  /** Of what was handed on and is not released yet. What is read at once comes on top. */
  readonly heldBytesMax: number;
}

export class MqttGate extends Duplex {
  readonly #socket: Socket;
  readonly #lengths: PacketLengths;
  readonly #heldBytesMax: number;
  #heldBytes = 0;
  #isWanted = false;

  /** `onTooLong` is told before the stream ends for a packet above the limit. */
  constructor(socket: Socket, limits: GateLimits, onTooLong: () => void) {
    super();
    this.#socket = socket;
    this.#lengths = new PacketLengths(limits.packetBytesMax);
    this.#heldBytesMax = limits.heldBytesMax;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      const verdict = this.#lengths.push(chunk);
      if (verdict === 'too-long') onTooLong();
      if (verdict === 'too-long') return void this.destroy(new Refusal('a packet above the limit'));
      if (verdict === 'malformed') return void this.destroy(new Error('not MQTT'));
      if (!this.push(chunk)) this.#isWanted = false;
      this.#flow();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    socket.pause();
  }

  /** So many bytes are in somebody's hands. */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.#flow();
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#flow();
  }

  override _read(): void {
    this.#isWanted = true;
    this.#flow();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #flow(): void {
    if (this.#isWanted && this.#heldBytes < this.#heldBytesMax) this.#socket.resume();
    else this.#socket.pause();
  }
}
