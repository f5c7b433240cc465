/**
 * One MQTT client of an ingress: its publishes, each stored before it is answered.
 *
 *   publish ──▶ waiting ──▶ handed to the node ──┬─ stored ──▶ answered
 *                  ▲            │ no room        └─ refused ─▶ the connection ends, unanswered
 *                  └── again ◀──┘ … until holdMs are over ───▶ the same
 *
 * In order: the next one is handed over once the one before it was not refused for want of room. Nothing of a client overtakes what it
 * published before, so what it repeats after a cut comes in order too.
 */
import { hasCode, RingmailError } from '../shared/errors.ts';
import { INGRESS_RETRY_MS } from '../shared/limits.ts';
import type { Properties } from '../shared/message/message.ts';
import { topicMatches } from '../shared/message/topic-filter.ts';
import type { IngressRule } from '../shared/node/config/config.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import type { IngressBook } from './ingress-book.ts';
import { type DoorGuest, type MqttPublish, Refusal } from './mqtt-door.ts';
import type { MqttGate } from './mqtt-gate.ts';
import type { PacketIds, Position } from './packet-ids.ts';

export interface GuestOptions {
  readonly node: NodeCalls;
  readonly rules: readonly IngressRule[];
  readonly holdMs: number;
  readonly book: IngressBook;
  /** '' of one that gave none. */
  readonly clientId: string;
  readonly gate: MqttGate;
  readonly packetIds: PacketIds;
  /** The ingress itself ends: that says nothing of its clients. */
  readonly isClosing: () => boolean;
}

interface Held {
  readonly publish: MqttPublish;
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  isOver: boolean;
}

/** What a publish takes in memory besides topic and payload. */
const HELD_BYTES = 256;

export class IngressGuest implements DoorGuest {
  readonly isResumed: boolean;
  readonly #options: GuestOptions;
  readonly #waiting: Held[] = [];
  /** Not answered yet, the oldest first. */
  readonly #open = new Set<Held>();
  #timer: NodeJS.Timeout | undefined;
  /** Why the one that is next is not handed over. */
  #noRoom: Error | undefined;
  #isWorking = false;
  #isGone = false;

  constructor(options: GuestOptions) {
    this.#options = options;
    this.isResumed = options.packetIds.count > 0;
    options.gate.once('close', () => {
      this.#isGone = true;
    });
  }

  publish(publish: MqttPublish): Promise<void> {
    const { book, gate, holdMs, isClosing } = this.#options;
    if (publish.kind === 'will' && isClosing()) return Promise.resolve();
    const bytes = HELD_BYTES + publish.topic.length + publish.payload.length;
    if (!book.hold(bytes)) return Promise.reject(this.#refuse(publish, new RingmailError('BUSY', book.heldBytes)));
    gate.hold(bytes);
    return new Promise((resolve, reject) => {
      const held = { publish, bytes, deadlineMs: performance.now() + holdMs, resolve, reject, isOver: false };
      this.#waiting.push(held);
      this.#open.add(held);
      this.#watch();
      void this.#work();
    });
  }

  hasPacketId(packetId: number): boolean {
    return this.#options.packetIds.has(packetId);
  }

  release(packetId: number): Promise<void> {
    return this.#options.packetIds.release(packetId);
  }

  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#handOver(next);
    this.#isWorking = false;
  }

  /** Resolves when the next one may be handed over: when this one is stored, refused for good, or on its way. */
  async #handOver(held: Held): Promise<void> {
    while (!held.isOver) {
      // Who is gone was not answered, and sends it again: behind what it sends then it would be out of order.
      if (this.#isGone && isRepeated(held.publish)) return this.#end(held, gone());
      const storing = this.#store(held.publish);
      // The node says within a turn whether it takes what it is handed; that the disk has it comes later.
      const outcome = await (held.publish.qos === 2 ? storing : Promise.race([storing, turn()]));
      this.#noRoom = undefined;
      if (outcome === 'pending') return void storing.then((later) => this.#settle(held, later));
      if (!(outcome instanceof Error) || !isNoRoom(outcome) || held.publish.qos === 0) return this.#settle(held, outcome);
      this.#noRoom = outcome;
      await new Promise((resolve) => setTimeout(resolve, INGRESS_RETRY_MS));
    }
  }

  /** Never rejects. */
  async #store(publish: MqttPublish): Promise<'stored' | 'repeat' | Error> {
    try {
      const rule = this.#options.rules.find(({ topic }) => topicMatches(topic, publish.topic));
      if (rule === undefined) throw new RingmailError('ROUTE_NOT_FOUND', { address: `mqtt:${publish.topic}` });
      if (publish.qos !== 2 || publish.kind === 'will') {
        await this.#send(rule, publish, undefined);
        return 'stored';
      }
      return await this.#options.packetIds.take(publish.packetId, (position) => this.#send(rule, publish, position));
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async #send(rule: IngressRule, publish: MqttPublish, position: Position | undefined): Promise<void> {
    const { node, clientId, holdMs } = this.#options;
    await node.call({
      verb: 'send',
      destination: rule.queue,
      body: publish.payload,
      properties: propertiesOf(rule, publish, clientId),
      ...(publish.qos === 0 ? { delivery: 'express', waitMs: 0 } : { answer: 'disk', waitMs: holdMs }),
      ...(position && { position }),
    });
  }

  #settle(held: Held, outcome: 'stored' | 'repeat' | Error): void {
    if (!(outcome instanceof Error)) {
      if (!held.isOver) this.#options.book.accepted(held.publish, outcome);
      return this.#end(held, undefined);
    }
    if (held.isOver) return;
    const error = this.#refuse(held.publish, outcome);
    // Nobody was promised anything of QoS 0, and the connection is worth more than one of those.
    this.#end(held, held.publish.qos === 0 ? undefined : error);
  }

  #refuse(publish: MqttPublish, error: Error): Error {
    this.#options.book.refused(this.#options.clientId, publish, error);
    return error;
  }

  #end(held: Held, error: Error | undefined): void {
    if (held.isOver) return;
    held.isOver = true;
    this.#open.delete(held);
    this.#options.book.release(held.bytes);
    this.#options.gate.release(held.bytes);
    if (error === undefined) held.resolve();
    else held.reject(error);
  }

  /** One timer, for the oldest: the others have waited for less. */
  #watch(): void {
    if (this.#timer !== undefined) return;
    const [oldest] = this.#open;
    if (oldest === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const nowMs = performance.now();
        for (const held of this.#open) if (held.deadlineMs <= nowMs) this.#tooLate(held);
        this.#watch();
      },
      Math.max(1, oldest.deadlineMs - performance.now()),
    );
    this.#timer.unref();
  }

  #tooLate(held: Held): void {
    const { holdMs } = this.#options;
    const error = this.#noRoom ?? new RingmailError('NODE_STOPPED', { reason: `no answer within ${holdMs} ms` });
    this.#end(held, this.#refuse(held.publish, error));
  }
}

/** What the client still has, and will send again. */
function isRepeated({ kind, qos }: MqttPublish): boolean {
  return kind === 'publish' && qos > 0;
}

/** There may be room later. */
export function isNoRoom(error: unknown): error is RingmailError<'QUEUE_FULL' | 'BUSY'> {
  return hasCode(error, 'QUEUE_FULL') || hasCode(error, 'BUSY');
}

function gone(): Error {
  return new Refusal('the client is gone');
}

/** Behind what the node was asked in this turn. */
function turn(): Promise<'pending'> {
  return new Promise((resolve) => setImmediate(() => resolve('pending')));
}

function propertiesOf(rule: IngressRule, publish: MqttPublish, clientId: string): Properties {
  const headers = new Map([['mqtt-topic', publish.topic]]);
  if (clientId !== '') headers.set('mqtt-client', clientId);
  if (publish.retain === 'retain') headers.set('mqtt-retained', '1');
  if (publish.kind === 'will') headers.set('mqtt-will', '1');
  const { priority, contentType, label } = rule;
  return {
    headers,
    ...(priority !== undefined && { priority }),
    ...(contentType !== undefined && { contentType }),
    ...(label !== undefined && { label }),
  };
}
