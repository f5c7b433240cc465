/**
 * Joins a node core to its ports: the only place where it meets an event loop. Product and simulator run this same class.
 *
 *   inputs (calls, bytes, answers of the file, ticks) ──▶ core.step ──▶ outputs ──▶ ports
 *
 * A port that answers at once (a file written inline) puts its answer into the queue of inputs; nothing is ever called from inside
 * a step. One timer, replaced whenever the core wants another time.
 */

import { RingmailError } from '../errors.ts';
import type { ConsoleLine } from '../link/console-text.ts';
import type { Broker, Line, PublishEnd, RingFile, Timers, WallClock } from '../ports.ts';
import type { RingOutput } from '../ring/file-io.ts';
import type { OpenReport } from '../ring/ring.ts';
import type { Call, CallResult } from './calls.ts';
import type { NodeCore } from './node-core.ts';
import type { Asked, LineUse, NodeInput, NodeOutput } from './node-io.ts';
import { OpenCalls } from './open-calls.ts';

export interface DriveListener {
  onServing(report: OpenReport): void;
  /** The node is gone and must be opened anew. Comes once, with every open call answered. */
  onStopped(error: Error): void;
  onClosed(): void;
  onLog(level: 'info' | 'warn', text: string): void;
  /** What a neighbour's console says. */
  onConsole?(line: number, said: ConsoleLine): void;
}

export interface DrivePorts {
  readonly file: RingFile;
  readonly timers: Timers;
  /** Undefined: the node knows no date, and says so. */
  readonly wallClock?: WallClock;
  /** The only one, whatever it is called. */
  readonly broker?: Broker;
  /** By the names that inputs and outputs have for them. */
  readonly brokers?: ReadonlyMap<string, Broker>;
}

export class Drive {
  readonly #core: NodeCore;
  readonly #ports: DrivePorts;
  readonly #listener: DriveListener;
  readonly #inputs: NodeInput[] = [];
  readonly #open = new OpenCalls();
  /** Calls of this turn. */
  #asked: Asked[] = [];
  readonly #lines = new Map<number, Line>();
  #nextLine = 1;
  #isStepping = false;
  /** What the timer is set to. */
  #wakesAtMs: number | undefined;
  #isOver = false;

  constructor(core: NodeCore, ports: DrivePorts, listener: DriveListener) {
    this.#core = core;
    this.#ports = ports;
    this.#listener = listener;
  }

  /** Opens the ring. `onServing` or `onStopped` follows. */
  start(): void {
    this.#put({ kind: 'tick' });
  }

  /** Asks the node; `then` is called once, never from inside this call. Returns a token to cancel a wait with. */
  call(call: Call, then: (result: CallResult) => void): number {
    const token = this.#open.add(then);
    if (this.#asked.push({ token, call }) === 1) this.#ports.timers.soon(() => this.#ask());
    return token;
  }

  /** Nobody waits for this answer any more, and it does not come. What was received for it goes back. */
  cancel(token: number): void {
    this.#open.take(token);
    this.#put({ kind: 'cancel', token });
  }

  /** Gives the node a line to a neighbour. `whenClosed` is called once, when the line is no more. */
  attach(line: Line, use: LineUse, whenClosed: (reason: string) => void): void {
    const id = this.#nextLine++;
    this.#lines.set(id, line);
    line.listen({
      onBytes: (bytes) => this.#put({ kind: 'line-bytes', line: id, bytes }),
      onDrained: () => this.#put({ kind: 'line-unsent', line: id, unsentBytes: 0 }),
      onClosed: (reason) => {
        this.#lines.delete(id);
        this.#put({ kind: 'line-closed', line: id, reason });
        whenClosed(reason);
      },
    });
    this.#put({ kind: 'line-open', line: id, ...use });
  }

  /** Lets the broker ports speak. Once the node serves. */
  listenToBroker(): void {
    this.#listenTo(this.#ports.broker, undefined);
    for (const [broker, port] of this.#ports.brokers ?? []) this.#listenTo(port, broker);
  }

  #listenTo(port: Broker | undefined, broker: string | undefined): void {
    port?.listen({
      onUp: (packetBytesMax) => this.#put({ kind: 'broker-up', broker, packetBytesMax }),
      onDown: (reason) => this.#put({ kind: 'broker-down', reason, broker }),
      onRefused: (reason) => this.#put({ kind: 'broker-refused', reason, broker }),
      onMessage: (topic, payload) => this.#put({ kind: 'broker-message', topic, payload, broker }),
    });
  }

  #broker(name: string): Broker | undefined {
    return this.#ports.brokers?.get(name) ?? this.#ports.broker;
  }

  /** Writes what is pending, closes the ring clean, ends the lines. `onClosed` follows. */
  close(): void {
    this.#put({ kind: 'close' });
  }

  /** Stops here and now, as a power cut does: nothing more is written, nobody is answered. For the simulator. */
  abandon(): void {
    this.#isOver = true;
    this.#ports.timers.cancel();
    this.#inputs.length = 0;
    this.#asked = [];
    this.#open.takeAll();
  }

  /** What was cancelled before it was asked is not asked: its cancellation went by. */
  #ask(): void {
    const calls = this.#asked.filter(({ token }) => this.#open.has(token));
    this.#asked = [];
    if (calls.length > 0) this.#put({ kind: 'calls', calls });
  }

  #put(input: NodeInput): void {
    if (this.#isOver) return;
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#inputs.shift(); next !== undefined && !this.#isOver; next = this.#inputs.shift()) {
      const outputs = this.#core.step(next, this.#ports.timers.nowMs(), this.#ports.wallClock?.nowUs());
      for (const output of outputs) this.#perform(output);
    }
    this.#isStepping = false;
    this.#schedule();
  }

  /** Calls of one turn mostly want the same time: then the timer stands as it is. */
  #schedule(): void {
    const atMs = this.#isOver ? undefined : this.#core.wakeAtMs;
    if (atMs === this.#wakesAtMs) return;
    this.#wakesAtMs = atMs;
    if (atMs === undefined) return this.#ports.timers.cancel();
    this.#ports.timers.wake(atMs, () => {
      this.#wakesAtMs = undefined;
      this.#put({ kind: 'tick' });
    });
  }

  #perform(output: NodeOutput): void {
    switch (output.kind) {
      case 'read':
      case 'write':
        return this.#performOnFile(output);
      case 'answer': {
        const then = this.#open.take(output.token);
        if (then === undefined) return this.#giveBack(output.result);
        return then(output.result);
      }
      case 'line-write': {
        const unsentBytes = this.#lines.get(output.line)?.write(output.bytes) ?? 0;
        this.#inputs.push({ kind: 'line-unsent', line: output.line, unsentBytes });
        return;
      }
      case 'line-close':
        return this.#lines.get(output.line)?.close();
      case 'subscribe':
        return this.#broker(output.broker)?.subscribe(output.topics);
      case 'publish':
        return this.#publish(output);
      case 'want':
        return this.#broker(output.broker)?.want?.(output.wanted);
      case 'log':
        return this.#listener.onLog(output.level, output.text);
      case 'console':
        return this.#listener.onConsole?.(output.line, output);
      case 'serving':
        return this.#listener.onServing(output.report);
      case 'stopped':
        this.#end(output.error.message);
        return this.#listener.onStopped(output.error);
      case 'closed':
        this.#end('closed');
        return this.#listener.onClosed();
    }
  }

  #publish({ broker, publish, token }: NodeOutput & { readonly kind: 'publish' }): void {
    const ended =
      token === undefined ? undefined : (outcome: PublishEnd) => this.#put({ kind: 'broker-ended', token, outcome, broker });
    this.#broker(broker)?.publish(publish, ended);
  }

  /** Its wait was cancelled in the same step: nobody else knows of this lease. */
  #giveBack(result: CallResult): void {
    if (result.kind !== 'received') return;
    const call: Call = { verb: 'nack', lease: result.received.lease, delayMs: 0 };
    this.#inputs.push({ kind: 'call', token: this.#open.takeToken(), call });
  }

  /** Nobody is left waiting: what has no answer by now gets the one that nothing was written for it. */
  #end(reason: string): void {
    this.#isOver = true;
    for (const then of this.#open.takeAll()) then({ kind: 'error', error: new RingmailError('NODE_STOPPED', { reason }) });
  }

  /** A file may answer at once or later; either way its answer becomes an input. */
  #performOnFile(output: RingOutput): void {
    const { id } = output;
    const fail = (error: unknown) => this.#put({ kind: 'ring', input: { kind: FAILED[output.kind], id, reason: String(error) } });
    const bytes = output.kind === 'read' ? new Uint8Array(output.length) : undefined;
    const done = () =>
      this.#put({ kind: 'ring', input: bytes === undefined ? { kind: 'flushed', id } : { kind: 'readDone', id, bytes } });
    try {
      const { file } = this.#ports;
      const pending =
        output.kind === 'read' && bytes !== undefined
          ? file.read(output.offset, bytes)
          : output.kind === 'write'
            ? output.fence === undefined
              ? file.writeDurable(output.offset, output.bytes)
              : file.writeDurable(output.offset, output.bytes, output.fence)
            : undefined;
      if (pending === undefined) done();
      else pending.then(done, fail);
    } catch (error) {
      fail(error);
    }
  }
}

const FAILED = { read: 'readFailed', write: 'failed' } as const;
