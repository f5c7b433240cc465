/** What carries custody to and from other nodes: links over lines, the relay over MQTT. Routes inputs to them and collects outputs. */
import type { NodeStore } from '../custody/node-store.ts';
import type { CustodyReceiver } from '../custody/receiver.ts';
import type { CustodySender } from '../custody/sender.ts';
import { LinkSession } from '../link/link-session.ts';
import type { Random } from '../ports.ts';
import { RelayReceiver } from '../relay/relay-receiver.ts';
import { RelaySender } from '../relay/relay-sender.ts';
import type { NodeConfig, NodeInput, NodeOutput, UplinkKind } from './node-io.ts';

type CarrierInput = Exclude<NodeInput, { kind: 'ring' | 'call' | 'cancel' | 'close' | 'tick' }>;

interface Parts {
  readonly config: NodeConfig;
  /** What messages for other nodes wait for; who has it as `kept` carries none of them. */
  readonly uplink: UplinkKind;
  readonly store: NodeStore;
  readonly sender: CustodySender;
  readonly receiver: CustodyReceiver;
  readonly random: Random;
  readonly emit: (output: NodeOutput) => void;
}

export class Carriers {
  readonly #parts: Parts;
  readonly #links = new Map<number, LinkSession>();
  /** What the links counted whose lines are no more. */
  readonly #ended: Record<string, number> = {};
  readonly #relaySender: RelaySender | undefined;
  readonly #relayReceiver: RelayReceiver | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { config, store, sender, receiver } = parts;
    const { central, partitionCount } = config;
    if (config.uplink === 'mqtt') this.#relaySender = new RelaySender({ sender, node: config.name, central, partitionCount });
    if (config.isCentral === 'yes') this.#relayReceiver = new RelayReceiver({ receiver, store, node: config.name, central });
  }

  get sender(): CustodySender {
    return this.#parts.sender;
  }

  get receiver(): CustodyReceiver {
    return this.#parts.receiver;
  }

  get isForked(): boolean {
    return this.sender.state === 'forked';
  }

  input(input: CarrierInput, nowMs: number): void {
    switch (input.kind) {
      case 'line-open':
        return this.#open(input, nowMs);
      case 'line-bytes':
        return this.#links.get(input.line)?.bytes(input.bytes, nowMs);
      case 'line-unsent':
        return this.#links.get(input.line)?.unsent(input.unsentBytes, nowMs);
      case 'line-closed':
        return this.#closed(input.line, nowMs);
      case 'broker-up':
        this.#relaySender?.up(nowMs);
        this.#relayReceiver?.up(nowMs);
        return;
      case 'broker-down':
        this.#relaySender?.down(nowMs);
        this.#relayReceiver?.down(nowMs);
        return;
      case 'broker-message':
        this.#relaySender?.message(input, nowMs);
        this.#relayReceiver?.message(input, nowMs);
        return;
    }
  }

  #open(input: CarrierInput & { kind: 'line-open' }, nowMs: number): void {
    const { store, sender, receiver, random } = this.#parts;
    const { role, baud } = input;
    const session = new LinkSession({ role, store, receiver, random, baud, sender: role === 'dial' ? sender : undefined });
    this.#links.set(input.line, session);
    session.opened(nowMs);
  }

  #closed(line: number, nowMs: number): void {
    const link = this.#links.get(line);
    if (link === undefined) return;
    link.closed(nowMs);
    addCounts(this.#ended, link.counters());
    this.#links.delete(line);
  }

  /** Lets each carry on as far as it can. Called after every step. */
  pump(nowMs: number): void {
    for (const [line, link] of this.#links) {
      link.pump(nowMs);
      for (const output of link.takeOutputs()) {
        switch (output.kind) {
          case 'write':
            this.#parts.emit({ kind: 'line-write', line, bytes: output.bytes });
            break;
          case 'close':
            this.#parts.emit({ kind: 'line-close', line, reason: output.reason });
            break;
          case 'log':
            this.#parts.emit({ kind: 'log', level: output.level, text: `line ${line}: ${output.text}` });
            break;
        }
      }
    }
    for (const relay of [this.#relaySender, this.#relayReceiver]) {
      relay?.pump(nowMs);
      for (const output of relay?.takeOutputs() ?? []) this.#parts.emit(output);
    }
  }

  get wakeAtMs(): number | undefined {
    const times = [this.#relaySender?.wakeAtMs, this.#relayReceiver?.wakeAtMs];
    for (const link of this.#links.values()) times.push(link.wakeAtMs);
    return times.reduce((a, b) => (b === undefined || (a !== undefined && a < b) ? a : b), undefined);
  }

  /** The last words on every line: the peers need not wait for silence. */
  stop(nowMs: number): void {
    for (const link of this.#links.values()) link.stop(nowMs);
    this.pump(nowMs);
  }

  describeLinks(): string[] {
    return [...this.#links].map(([line, link]) => `line ${line}: ${link.describe()}`);
  }

  describeUplink(): string {
    const { uplink } = this.#parts;
    return uplink === 'none' ? 'none' : `${uplink} ${this.sender.state} ${this.sender.receiver}`.trimEnd();
  }

  counters(): Record<string, number> {
    const { sender, receiver } = this.#parts;
    const counters: Record<string, number> = {
      freed: sender.freedCount,
      stale: sender.staleCount,
      rolledBack: sender.rolledBackCount,
      elsewhere: sender.elsewhereCount,
      repeats: receiver.repeatCount,
      forksRefused: receiver.forkCount,
    };
    addCounts(counters, this.#ended);
    for (const link of this.#links.values()) addCounts(counters, link.counters());
    for (const relay of [this.#relaySender, this.#relayReceiver]) Object.assign(counters, relay?.counters());
    return counters;
  }
}

function addCounts(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
}
