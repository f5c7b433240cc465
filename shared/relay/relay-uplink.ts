/**
 * Custody with a central over one broker, as a gateway has it: what goes up, and what comes down. Two custodies, each with a session of
 * its own; one connection.
 */
import type { Meter } from '../custody/meter.ts';
import { earliest } from '../earliest.ts';
import type { Wanted } from '../ports.ts';
import { type Laziness, LazyConnection } from './lazy-connection.ts';
import { publishBytes } from './publish-layout.ts';
import { RelayReceiver, type RelayReceiverOptions } from './relay-receiver.ts';
import { type Arrived, type RelayOutput, RelaySender, type RelaySenderOptions } from './relay-sender.ts';

/** Of an uplink that is not always connected. */
export interface WantOutput {
  readonly kind: 'want';
  readonly wanted: Wanted;
}

/** What a node does over one broker. */
export interface Relay {
  readonly wakeAtMs: number | undefined;
  /** The broker is there, with nothing of earlier. `packetBytesMax`: of a packet, as far as it says. */
  up(nowMs: number, packetBytesMax?: number): void;
  /** The broker is gone, and all that was on its way with it. */
  down(nowMs: number): void;
  message(arrived: Arrived, nowMs: number): void;
  /** Goes on as far as it may. Called after every step of the node. */
  pump(nowMs: number): void;
  /** What to do next, in this order. Empties the list. */
  takeOutputs(): (RelayOutput | WantOutput)[];
  counters(): Record<string, number>;
}

export interface RelayUplinkOptions
  extends Pick<RelaySenderOptions, 'sender' | 'node' | 'duty' | 'meter' | 'trial' | 'messagesPerPublish'>,
    Pick<RelayReceiverOptions, 'receiver' | 'store'> {
  readonly central: string;
  readonly partitionCount: number;
  /** Undefined: always connected. */
  readonly lazy?: Laziness | undefined;
  /** Of one that is lazy: something waits for this broker beside what the sender holds. */
  readonly isAwaited?: () => boolean;
}

export class RelayUplink implements Relay {
  readonly sender: RelaySender;
  readonly receiver: RelayReceiver;
  readonly #meter: Meter | undefined;
  readonly #lazy: LazyConnection | undefined;
  readonly #load: () => 'something-waits' | 'nothing-waits';
  readonly #wants: WantOutput[] = [];
  #nowMs = 0;

  constructor({ receiver, store, central, partitionCount, lazy, isAwaited, ...options }: RelayUplinkOptions) {
    const { node, sender } = options;
    if (lazy !== undefined) this.#lazy = new LazyConnection(lazy);
    this.#load = () => {
      const isHeld = this.sender.duty === 'on-duty' && sender.heldCount > 0;
      return isHeld || isAwaited?.() === true ? 'something-waits' : 'nothing-waits';
    };
    this.#meter = options.meter;
    this.sender = new RelaySender({ ...options, path: { kind: 'up', central, partitionCount } });
    this.receiver = new RelayReceiver({ receiver, store, node, takes: { kind: 'down', central } });
  }

  /** It would connect if something waited. */
  get isResting(): boolean {
    return this.#lazy?.isResting === true;
  }

  up(nowMs: number, packetBytesMax?: number): void {
    this.#lazy?.up();
    this.receiver.up(nowMs);
    this.sender.up(nowMs, packetBytesMax);
  }

  down(nowMs: number): void {
    this.#lazy?.down();
    this.receiver.down(nowMs);
    this.sender.down(nowMs);
  }

  message(arrived: Arrived, nowMs: number): void {
    this.#lazy?.heard(nowMs);
    this.receiver.message(arrived, nowMs);
    this.sender.message(arrived, nowMs);
  }

  pump(nowMs: number): void {
    this.#nowMs = nowMs;
    this.receiver.pump(nowMs);
    this.sender.pump(nowMs);
    const wanted = this.#lazy?.pump(this.#load(), nowMs);
    if (wanted !== undefined) this.#wants.push({ kind: 'want', wanted });
  }

  get wakeAtMs(): number | undefined {
    return earliest(this.sender.wakeAtMs, this.receiver.wakeAtMs, this.#lazy?.wakeAtMs);
  }

  takeOutputs(): (RelayOutput | WantOutput)[] {
    const receipts = this.receiver.takeOutputs();
    // Never held back: they free at the other side, and without them all of it would be sent again.
    for (const output of receipts) if (output.kind === 'publish') this.#meter?.spend(publishBytes(output.publish), this.#nowMs);
    return [...receipts, ...this.sender.takeOutputs(), ...this.#wants.splice(0)];
  }

  counters(): Record<string, number> {
    return { ...this.receiver.counters(), ...this.sender.counters() };
  }
}
