/** What can be seen of a serial port's trouble from outside: counted, and said once for each opening. */
import type { AdapterCounters } from './adapter-counters.ts';
import { FlowControlRuns } from './flow-control-runs.ts';
import { readOverruns } from './port-overruns.ts';

/** Where it is told. */
export interface PortReport {
  readonly counters: AdapterCounters;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

export interface WatchedPort {
  /** As it is configured: the counters go by it. */
  readonly name: string;
  /** The device behind the name. */
  readonly device: string;
  readonly readOverruns?: (device: string) => Promise<number | undefined>;
}

export class PortWatch {
  readonly #port: WatchedPort;
  readonly #log: PortReport['log'];
  readonly #runs = new FlowControlRuns();
  /** Of the driver, when the port was opened. `unknown`: nobody tells. */
  #overrunsBefore: number | 'unasked' | 'unknown' = 'unasked';
  #overruns = 0;
  readonly #said = new Set<string>();

  constructor(port: WatchedPort, report: PortReport) {
    this.#port = port;
    this.#log = report.log;
    report.counters.watch(port.name, () => this.#counts());
  }

  heard(bytes: Uint8Array): void {
    this.#runs.push(bytes);
    if (this.#runs.count > 0) {
      this.#sayOnce(
        'XON or XOFF came through, which is no data here: switch software flow control off at the other end and between',
      );
    }
  }

  /** Asks the driver. The first time says where it begins to count. */
  async look(): Promise<void> {
    if (this.#overrunsBefore === 'unknown') return;
    const { device, readOverruns: ask = readOverruns } = this.#port;
    const count = await ask(device);
    if (this.#overrunsBefore === 'unasked') this.#overrunsBefore = count ?? 'unknown';
    else if (count !== undefined) this.#overruns = Math.max(this.#overruns, count - this.#overrunsBefore);
    if (this.#overruns > 0)
      this.#sayOnce('bytes were lost before they could be read (overrun): this machine is too busy, or the port too fast');
  }

  /** Overruns only where the driver counts them: no number is not zero. */
  #counts(): Record<string, number> {
    const isKnown = typeof this.#overrunsBefore === 'number';
    return { flowControlRuns: this.#runs.count, ...(isKnown && { overrunBytes: this.#overruns }) };
  }

  #sayOnce(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#log('warn', `${this.#port.name}: ${text}`);
  }
}
