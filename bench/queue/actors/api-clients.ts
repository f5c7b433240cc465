/**
 * Connections to the local API, each sending one message after the other and waiting for the answer. As light as can be, for the
 * sake of the node on the other processor: requests are made beforehand, and of an answer only its two ends are looked at.
 */
import { connect, type Socket } from 'node:net';
import type { Actor } from '../../ring/actors/actor.ts';
import { Histogram } from '../../ring/histogram.ts';
import { bodyOf } from '../../ring/load.ts';
import type { ApiClientsJob, Sending } from '../job.ts';
import { PRIORITIES, QUEUE } from '../library.ts';

const ANSWER_START = Buffer.from('HTTP/1.1 200 ');
/** On the disk: nothing less counts. */
const ANSWER_END = Buffer.from('"durability":"sync"}\n');
const ANSWER_BYTES_MAX = 4096;

export class ApiClientsActor implements Actor {
  readonly #job: ApiClientsJob;
  #connections: readonly Connection[] = [];

  constructor(job: ApiClientsJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    const { connections, socketPath, bodyBytes, warmMs } = this.#job;
    const requests = Array.from({ length: PRIORITIES }, (_, priority) => requestOf(priority, bodyBytes));
    const open = async (_: unknown, i: number) => new Connection(await opened(socketPath), requests, i);
    this.#connections = await Promise.all(Array.from({ length: connections }, open));
    await this.#run(warmMs);
  }

  measure(): Promise<Sending> {
    return this.#run(this.#job.ms);
  }

  async end(): Promise<void> {
    for (const connection of this.#connections) connection.close();
  }

  async #run(ms: number): Promise<Sending> {
    const latency = new Histogram();
    const startMs = performance.now();
    const stretch = { latency, endMs: startMs + ms };
    await Promise.all(this.#connections.map((connection) => connection.run(stretch)));
    return {
      messages: latency.count,
      messagesPerSecond: (1000 * latency.count) / (performance.now() - startMs),
      p50Ms: latency.percentile(0.5),
      p99Ms: latency.percentile(0.99),
    };
  }
}

interface Stretch {
  readonly latency: Histogram;
  readonly endMs: number;
}

class Connection {
  readonly #socket: Socket;
  readonly #requests: readonly Uint8Array[];
  #next: number;
  #running: { readonly stretch: Stretch; readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #sentMs = 0;
  #begun: Buffer | undefined;

  /** `first`: which of the requests comes first. */
  constructor(socket: Socket, requests: readonly Uint8Array[], first: number) {
    this.#socket = socket;
    this.#requests = requests;
    this.#next = first;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#running?.reject(error));
    socket.on('close', () => this.#running?.reject(new Error('the node closed a connection')));
  }

  /** Sends until the stretch is over; resolves with the last answer. */
  run(stretch: Stretch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#running = { stretch, resolve, reject };
      this.#send();
    });
  }

  close(): void {
    this.#running = undefined;
    this.#socket.destroy();
  }

  #send(): void {
    this.#sentMs = performance.now();
    this.#socket.write(this.#requests[this.#next++ % this.#requests.length] ?? new Uint8Array(0));
  }

  #read(chunk: Buffer): void {
    const bytes = this.#begun === undefined ? chunk : Buffer.concat([this.#begun, chunk]);
    this.#begun = bytes;
    if (!startsWell(bytes)) return this.#running?.reject(new Error(`the node answered ${bytes.toString('latin1')}`));
    if (endsWell(bytes)) this.#answered();
  }

  #answered(): void {
    this.#begun = undefined;
    if (this.#running === undefined) return;
    const { stretch, resolve } = this.#running;
    const nowMs = performance.now();
    stretch.latency.add(nowMs - this.#sentMs);
    if (nowMs < stretch.endMs) this.#send();
    else resolve();
  }
}

function requestOf(priority: number, bodyBytes: number): Uint8Array {
  const lines = [
    `POST /v1/send/${QUEUE}?priority=${priority} HTTP/1.1`,
    'Host: ringmail',
    'Content-Type: application/octet-stream',
    `Content-Length: ${bodyBytes}`,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bodyOf(bodyBytes, priority)]);
}

function opened(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** As far as it is here. */
function startsWell(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, ANSWER_START.length);
  return bytes.length <= ANSWER_BYTES_MAX && bytes.compare(ANSWER_START, 0, length, 0, length) === 0;
}

function endsWell(bytes: Buffer): boolean {
  return (
    bytes.length > ANSWER_END.length && bytes.compare(ANSWER_END, 0, ANSWER_END.length, bytes.length - ANSWER_END.length) === 0
  );
}
