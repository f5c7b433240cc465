/**
 * The embedded profile (docs/embedded.md): queues over a storage that the host gives, on any ECMAScript engine. No promise, no timer,
 * no clock and no host object: the host calls, and passes the time.
 *
 *   node.ask(call) ─▶ token                nothing happens yet
 *   node.run(nowMs) ─▶ events              all that is asked and due: one durable write for what was asked together
 *   node.wakeAtMs                          call `run` then, or earlier
 *
 * What is not here: links, the relay over MQTT, and with them any way to another node; transactions, outcomes, verbs that make, change
 * and empty queues, redrive, selectors, messages in memory alone. Whose ring had neighbours loses nothing (docs/embedded.md).
 */
import { unreachable } from '../assert.ts';
import { crc32 } from '../crc32.ts';
import { RingmailError } from '../errors.ts';
import type { Fence, Random } from '../ports.ts';
import type { QueueDefinition } from '../queue/queue-options.ts';
import type { RingOutput } from '../ring/file-io.ts';
import { formatRing } from '../ring/file-steps.ts';
import { geometryFor } from '../ring/geometry.ts';
import type { BootClock } from '../ring/superblock-layout.ts';
import type { Call, CallResult, Durability, Stats } from './calls.ts';
import { NO_DESKS } from './no-desk.ts';
import { NodeCore, type NodeMemory } from './node-core.ts';
import type { NodeConfig, NodeInput, NodeOutput, NodePhase } from './node-io.ts';

export { fromUtf8, toUtf8 } from '../bytes.ts';
export { hasCode, RingmailError } from '../errors.ts';
export type { Random } from '../ports.ts';
export type { QueueDefinition } from '../queue/queue-options.ts';
export type { BootClock } from '../ring/superblock-layout.ts';
export type { Call, CallResult, Durability, Received, Stats } from './calls.ts';

/** Bytes that survive a power cut, and this node alone writes. Both calls throw when they fail. */
export interface EmbeddedStorage {
  /** Length in bytes. Fixed. */
  readonly size: number;
  /** Fills `into` from `offset`. */
  read(offset: number, into: Uint8Array): void;
  /**
   * Returns when these bytes would survive a power cut; until then any sector of them may be old, new or garbage. Once it threw the
   * node is stopped, and must be made anew. `fence`: what must still stand there; of use where another program might write.
   */
  writeDurable(offset: number, bytes: Uint8Array, fence?: Fence): void;
}

export interface EmbeddedConfig {
  /** Of this node; '' keeps the one that the storage remembers. */
  readonly name: string;
  readonly queues: readonly (QueueDefinition & { readonly name: string })[];
  /** Limit of queues made later, and of `$dead`, in bytes. An eighth of the storage where nothing is said. */
  readonly queueBytesLimit?: number;
}

export interface EmbeddedHost {
  readonly storage: EmbeddedStorage;
  /** Unpredictable where the node is to be told from a copy of itself. */
  readonly random: Random;
  /** What the medium promises: said in answers and stats. `unknown` where nothing is said. */
  readonly durability?: Durability;
  /** The machine's clock as it stands now: then messages age while the node is off. */
  readonly clock?: BootClock;
  /** `EMBEDDED_MEMORY` where nothing is said. */
  readonly memory?: NodeMemory;
}

/** What 500 short messages in 1 MiB leave room for. */
export const EMBEDDED_MEMORY: NodeMemory = { cacheBytesMax: 4 * 1024, pendingBytesMax: 16 * 1024 };

export type EmbeddedEvent = Extract<NodeOutput, { kind: 'answer' | 'log' | 'serving' | 'stopped' | 'closed' }>;

/** Steps of one `run`: a host that has other things to do gets its turn. What is left is due at once. */
const STEPS_MAX = 256;

/**
 * Makes a storage of zeros an empty ring. `fileId`: 16 random bytes. Blocks are what the medium writes at once; small ones save memory.
 * @throws RING_SIZE_INVALID, and what the storage throws
 */
export function formatStorage(storage: EmbeddedStorage, fileId: Uint8Array, blockBytes = 512): void {
  for (const request of formatRing(geometryFor(storage.size, blockBytes), fileId)) {
    if (request.kind === 'write') storage.writeDurable(request.offset, request.bytes);
  }
}

export class EmbeddedNode {
  readonly #core: NodeCore;
  readonly #storage: EmbeddedStorage;
  readonly #inputs: NodeInput[] = [];
  readonly #open = new Set<number>();
  #nextToken = 1;

  constructor(
    config: EmbeddedConfig,
    { storage, random, durability = 'unknown', clock, memory = EMBEDDED_MEMORY }: EmbeddedHost,
  ) {
    this.#storage = storage;
    this.#core = new NodeCore(nodeConfig(config, storage), {
      file: { path: '', size: storage.size },
      checksum: crc32,
      random,
      carriers: 'none',
      desks: NO_DESKS,
      clock,
      describeFile: () => ({ durability, ioMode: '' }),
      memory,
    });
    this.#inputs.push({ kind: 'tick' });
  }

  get phase(): NodePhase {
    return this.#core.phase;
  }

  /** When `run` is wanted, by the time that is passed to it: the past means now. Undefined: not before something is asked. */
  get wakeAtMs(): number | undefined {
    return this.#inputs.length > 0 ? Number.NEGATIVE_INFINITY : this.#core.wakeAtMs;
  }

  /** The answer comes from a `run`, once, under this token. */
  ask(call: Call): number {
    const token = this.#nextToken++;
    this.#open.add(token);
    this.#inputs.push({ kind: 'call', token, call });
    return token;
  }

  /** Nobody waits for this answer any more. What was asked may have been done; what was received goes back. */
  cancel(token: number): void {
    this.#open.delete(token);
    this.#inputs.push({ kind: 'cancel', token });
  }

  /** Writes what only memory knows. `closed` comes from a `run`. */
  close(): void {
    this.#inputs.push({ kind: 'close' });
  }

  /** Does all that is asked and due. `nowMs`: milliseconds that never go back, from any beginning. */
  run(nowMs: number): EmbeddedEvent[] {
    const events: EmbeddedEvent[] = [];
    for (let steps = 0; steps < STEPS_MAX; steps++) {
      const input = this.#inputs.shift() ?? this.#dueTick(nowMs);
      if (input === undefined) break;
      for (const output of this.#core.step(input, nowMs)) this.#perform(output, events);
    }
    return events;
  }

  stats(nowMs: number): Stats {
    return this.#core.stats(nowMs);
  }

  #dueTick(nowMs: number): NodeInput | undefined {
    const { wakeAtMs } = this.#core;
    return wakeAtMs !== undefined && wakeAtMs <= nowMs ? { kind: 'tick' } : undefined;
  }

  #perform(output: NodeOutput, events: EmbeddedEvent[]): void {
    switch (output.kind) {
      case 'read':
      case 'write':
        this.#inputs.unshift(this.#onStorage(output));
        return;
      case 'answer':
        if (this.#open.delete(output.token)) events.push(output);
        else this.#giveBack(output.result);
        return;
      case 'stopped':
        events.push(...this.#endings(output.error.message), output);
        return;
      case 'closed':
        events.push(...this.#endings('closed'), output);
        return;
      case 'serving':
      case 'log':
        events.push(output);
        return;
      case 'line-write':
      case 'line-close':
      case 'console':
      case 'subscribe':
      case 'publish':
      case 'want':
        // Never: a node without carriers has no line and no broker to say anything to.
        return;
      default:
        return unreachable(output);
    }
  }

  /** Cancelled before it was run: nobody knows of this lease. */
  #giveBack(result: CallResult): void {
    if (result.kind !== 'received') return;
    const call: Call = { verb: 'nack', lease: result.received.lease, delayMs: 0 };
    this.#inputs.unshift({ kind: 'call', token: this.#nextToken++, call });
  }

  #onStorage(output: RingOutput): NodeInput {
    const { id, offset } = output;
    try {
      if (output.kind === 'write') {
        this.#storage.writeDurable(offset, output.bytes, output.fence);
        return { kind: 'ring', input: { kind: 'flushed', id } };
      }
      const bytes = new Uint8Array(output.length);
      this.#storage.read(offset, bytes);
      return { kind: 'ring', input: { kind: 'readDone', id, bytes } };
    } catch (error) {
      return { kind: 'ring', input: { kind: output.kind === 'write' ? 'failed' : 'readFailed', id, reason: String(error) } };
    }
  }

  /** Nobody is left waiting. */
  #endings(reason: string): EmbeddedEvent[] {
    const tokens = [...this.#open];
    this.#open.clear();
    this.#inputs.length = 0;
    const error = new RingmailError('NODE_STOPPED', { reason });
    return tokens.map((token) => ({ kind: 'answer', token, result: { kind: 'error', error } }));
  }
}

function nodeConfig({ name, queues, queueBytesLimit }: EmbeddedConfig, { size }: EmbeddedStorage): NodeConfig {
  return {
    name,
    queues,
    unknownQueue: 'refuse',
    queueBytesLimit: queueBytesLimit ?? Math.floor(size / 8),
    uplink: 'none',
    central: 'central',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  };
}
