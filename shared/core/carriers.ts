/** What carries custody to and from other nodes: links over lines, the relay over MQTT. Routes inputs to them and collects outputs. */

import type { Intake } from '../custody/intake.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { OutgoingExpiry } from '../custody/outgoing-expiry.ts';
import { CustodyReceiver } from '../custody/receiver.ts';
import { CustodySender } from '../custody/sender.ts';
import { earliest } from '../earliest.ts';
import { LinkSession } from '../link/link-session.ts';
import type { Random } from '../ports.ts';
import { RelayCentral } from '../relay/relay-central.ts';
import { type Relay, RelayUplink } from '../relay/relay-uplink.ts';
import type { ClockStats } from './calls.ts';
import type { CarrierInput, CarrierRoots, CarrierStart, NodeCarriers } from './node-carriers.ts';

interface Parts extends CarrierStart {
  readonly store: NodeStore;
  readonly sender: CustodySender;
  readonly receiver: CustodyReceiver;
  readonly random: Random;
  readonly intake: Intake;
}

/** For the core of a node with lines or a broker. */
export function linksAndRelay({ store, intake, random }: CarrierRoots): (start: CarrierStart) => NodeCarriers {
  const receiver = new CustodyReceiver(store, intake);
  const sender = new CustodySender(store, 'up', random);
  receiver.load();
  sender.load();
  return (start) => new Carriers({ ...start, store, intake, sender, receiver, random });
}

export class Carriers implements NodeCarriers {
  readonly #parts: Parts;
  readonly #links = new Map<number, LinkSession>();
  /** By the name of the node below. */
  readonly #down = new Map<string, CustodySender>();
  /** What the links counted whose lines are no more. */
  readonly #ended: Record<string, number> = {};
  readonly #expiry: OutgoingExpiry;
  readonly #relays: Relay[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
    const { config, store, sender, receiver } = parts;
    const { central, partitionCount } = config;
    const node = store.self.name;
    this.#expiry = new OutgoingExpiry(store, parts.intake, () => this.senders);
    for (const node of store.hops.below) this.#senderTo(node);
    if (config.uplink === 'mqtt') this.#relays.push(new RelayUplink({ sender, receiver, store, node, central, partitionCount }));
    if (config.isCentral === 'yes') {
      const senderTo = (below: string) => (store.hops.isBelow(below) ? this.#senderTo(below) : undefined);
      this.#relays.push(new RelayCentral({ receiver, store, node, central, senderTo }));
    }
  }

  get sender(): CustodySender {
    return this.#parts.sender;
  }

  get receiver(): CustodyReceiver {
    return this.#parts.receiver;
  }

  get senders(): readonly CustodySender[] {
    return [this.sender, ...this.#down.values()];
  }

  get isForked(): boolean {
    return this.senders.some(({ state }) => state === 'forked');
  }

  input(input: CarrierInput, nowMs: number, wallUs?: number): void {
    switch (input.kind) {
      case 'line-open':
        return this.#open(input, nowMs);
      case 'line-bytes':
        return this.#links.get(input.line)?.bytes(input.bytes, nowMs, wallUs);
      case 'line-unsent':
        return this.#links.get(input.line)?.unsent(input.unsentBytes, nowMs);
      case 'line-closed':
        return this.#closed(input.line, nowMs);
      case 'broker-up':
        for (const relay of this.#relays) relay.up(nowMs);
        return;
      case 'broker-down':
        for (const relay of this.#relays) relay.down(nowMs);
        return;
      case 'broker-message':
        for (const relay of this.#relays) relay.message(input, nowMs);
        return;
    }
  }

  #open(input: CarrierInput & { kind: 'line-open' }, nowMs: number): void {
    const { store, sender, receiver, random } = this.#parts;
    const { role, baud } = input;
    const side = role === 'dial' ? { sender } : { sender: undefined, senderTo: (node: string) => this.#meet(node) };
    const session = new LinkSession({ role, store, receiver, random, baud, ...side });
    this.#links.set(input.line, session);
    session.opened(nowMs);
  }

  /** A node dials this one: from now on what is for it goes there. Undefined for one of too many. */
  #meet(node: string): CustodySender | undefined {
    const { store, sender } = this.#parts;
    const met = store.hops.meet(node);
    if (met !== undefined) store.commit({ metas: [met, ...sender.strays(node)] }, () => {});
    return store.hops.isBelow(node) ? this.#senderTo(node) : undefined;
  }

  #senderTo(node: string): CustodySender {
    const { store, random } = this.#parts;
    let sender = this.#down.get(node);
    if (sender === undefined) {
      sender = new CustodySender(store, `down/${node}`, random);
      sender.load();
      this.#down.set(node, sender);
    }
    return sender;
  }

  #closed(line: number, nowMs: number): void {
    const link = this.#links.get(line);
    if (link === undefined) return;
    link.closed(nowMs);
    addCounts(this.#ended, link.counters());
    this.#links.delete(line);
  }

  pump(nowMs: number, wallUs?: number): void {
    this.#expiry.pump();
    for (const [line, link] of this.#links) {
      link.pump(nowMs, wallUs);
      for (const output of link.takeOutputs()) {
        switch (output.kind) {
          case 'write':
            this.#parts.emit({ kind: 'line-write', line, bytes: output.bytes });
            break;
          case 'close':
            this.#parts.emit({ kind: 'line-close', line, reason: output.reason });
            break;
          case 'console':
            this.#parts.emit({ ...output, line });
            break;
          case 'log':
            this.#parts.emit({ kind: 'log', level: output.level, text: `line ${line}: ${output.text}` });
            break;
        }
      }
    }
    for (const relay of this.#relays) {
      relay.pump(nowMs);
      for (const output of relay.takeOutputs()) this.#parts.emit(output);
    }
  }

  get wakeAtMs(): number | undefined {
    const times = [this.#expiry.wakeAtMs, ...this.#relays.map((relay) => relay.wakeAtMs)];
    for (const link of this.#links.values()) times.push(link.wakeAtMs);
    return earliest(...times);
  }

  stop(nowMs: number): void {
    for (const link of this.#links.values()) link.stop(nowMs);
    this.pump(nowMs);
  }

  describeLinks(): string[] {
    return [...this.#links].map(([line, link]) => `line ${line}: ${link.describe()}`);
  }

  clocks(): ClockStats[] {
    return [...this.#links.values()].flatMap(({ peer, clock }) => (peer && clock ? [{ node: peer, ...clock }] : []));
  }

  describeUplink(): string {
    const { uplink } = this.#parts;
    return uplink === 'none' ? 'none' : `${uplink} ${this.sender.state} ${this.sender.receiver}`.trimEnd();
  }

  counters(): Record<string, number> {
    const { receiver } = this.#parts;
    const sum = (of: (sender: CustodySender) => number) => this.senders.reduce((total, sender) => total + of(sender), 0);
    const counters: Record<string, number> = {
      freed: sum(({ freedCount }) => freedCount),
      stale: sum(({ staleCount }) => staleCount),
      rolledBack: sum(({ rolledBackCount }) => rolledBackCount),
      elsewhere: sum(({ elsewhereCount }) => elsewhereCount),
      refusedBodiless: sum(({ bodilessCount }) => bodilessCount),
      repeats: receiver.repeatCount,
      forksRefused: receiver.forkCount,
    };
    addCounts(counters, this.#ended);
    for (const link of this.#links.values()) addCounts(counters, link.counters());
    for (const relay of this.#relays) Object.assign(counters, relay.counters());
    return counters;
  }
}

function addCounts(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
}
