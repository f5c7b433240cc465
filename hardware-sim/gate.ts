/**
 * A process that the machine stops and lets go on (SIGSTOP, a paused VM, a laptop's lid): nothing reaches it meanwhile, nothing is lost,
 * and then everything comes at once, in order. Wrapped around the ports of a node.
 */
import type { Broker, BrokerListener, Fence, Line, LineListener, RingFile, Timers } from '../shared/ports.ts';

export class Gate {
  #state: 'open' | 'shut' = 'open';
  #waiting: (() => void)[] = [];

  get isShut(): boolean {
    return this.#state === 'shut';
  }

  shut(): void {
    this.#state = 'shut';
  }

  open(): void {
    this.#state = 'open';
    for (const run of this.#waiting.splice(0)) run();
  }

  /** Now, or when the gate opens. */
  pass(run: () => void): void {
    if (this.#state === 'open') run();
    else this.#waiting.push(run);
  }

  timers(timers: Timers): Timers {
    return {
      nowMs: () => timers.nowMs(),
      soon: (callback) => timers.soon(() => this.pass(callback)),
      wake: (atMs, callback) => timers.wake(atMs, () => this.pass(callback)),
      cancel: () => timers.cancel(),
    };
  }

  file(file: RingFile): RingFile {
    const passed = (pending: void | Promise<void>): void | Promise<void> => {
      if (pending === undefined) return;
      return pending.then(
        () => this.#passed(),
        (error) => this.#passed(error),
      );
    };
    return {
      size: file.size,
      read: (offset: number, into: Uint8Array) => passed(file.read(offset, into)),
      writeDurable: (offset: number, bytes: Uint8Array, fence?: Fence) => passed(file.writeDurable(offset, bytes, fence)),
      close: () => file.close(),
    };
  }

  line(line: Line): Line {
    return {
      write: (bytes) => line.write(bytes),
      close: () => line.close(),
      listen: (listener: LineListener) =>
        line.listen({
          onBytes: (bytes) => this.pass(() => listener.onBytes(bytes)),
          onClosed: (reason) => this.pass(() => listener.onClosed(reason)),
          onDrained: () => this.pass(() => listener.onDrained?.()),
        }),
    };
  }

  broker(broker: Broker): Broker {
    return {
      publish: (publish, ended) => broker.publish(publish, ended && ((outcome) => this.pass(() => ended(outcome)))),
      subscribe: (topics) => broker.subscribe(topics),
      want: (wanted) => broker.want?.(wanted),
      close: () => broker.close(),
      listen: (listener: BrokerListener) =>
        broker.listen({
          onUp: () => this.pass(() => listener.onUp()),
          onDown: (reason) => this.pass(() => listener.onDown(reason)),
          onMessage: (topic, payload) => this.pass(() => listener.onMessage(topic, payload)),
        }),
    };
  }

  #passed(error?: unknown): Promise<void> {
    return new Promise((resolve, reject) => this.pass(() => (error === undefined ? resolve() : reject(error))));
  }
}
