/** What an ingress counts, what it says in the log, and how much it holds. */
import { hasCode, RingmailError } from '../shared/errors.ts';
import { INGRESS_HELD_BYTES_MAX } from '../shared/limits.ts';
import { LOG_BURST_MAX, LogValve } from '../shared/link/log-valve.ts';
import type { Counts } from '../shared/node/adapter-counters.ts';
import type { MqttPublish } from './mqtt-door.ts';

/** `refused…`: by cause, each of these ended a connection, but for subscriptions, and for QoS 0, which is dropped. */
export type IngressCause =
  | 'refusedSubscriptions'
  | 'refusedFull'
  | 'refusedStore'
  | 'refusedTopics'
  | 'refusedMessages'
  | 'refusedPackets'
  | 'refusedClients'
  | 'refusedLogins'
  | 'refusedProtocol';
type IngressCount = IngressCause | 'accepted' | 'acceptedExpress' | 'repeats' | 'wills' | 'lostWills' | 'droppedExpress';

/** Who was cut off for want of room is trouble for so long. */
const TROUBLE_MS = 60_000;
/** Of a text of a client's, in the log. */
const SHOWN_LENGTH_MAX = 100;

export class IngressBook {
  readonly #log: (level: 'info' | 'warn', text: string) => void;
  readonly #valve = new LogValve(LOG_BURST_MAX);
  readonly #counts: Record<IngressCount, number> = {
    accepted: 0,
    acceptedExpress: 0,
    repeats: 0,
    wills: 0,
    lostWills: 0,
    droppedExpress: 0,
    refusedSubscriptions: 0,
    refusedFull: 0,
    refusedStore: 0,
    refusedTopics: 0,
    refusedMessages: 0,
    refusedPackets: 0,
    refusedClients: 0,
    refusedLogins: 0,
    refusedProtocol: 0,
  };
  #bytes = 0;
  #full: { readonly atMs: number; readonly text: string } | undefined;

  constructor(log: (level: 'info' | 'warn', text: string) => void) {
    this.#log = log;
  }

  get counts(): Counts {
    return { ...this.#counts };
  }

  get heldBytes(): { pending: number; pendingMax: number } {
    return { pending: this.#bytes, pendingMax: INGRESS_HELD_BYTES_MAX };
  }

  /** False when that would be too much; then nothing is held. */
  hold(bytes: number): boolean {
    if (this.#bytes + bytes > INGRESS_HELD_BYTES_MAX) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  accepted({ kind, qos }: MqttPublish, outcome: 'stored' | 'repeat'): void {
    if (outcome === 'repeat') this.#counts.repeats += 1;
    else if (qos === 0) this.#counts.acceptedExpress += 1;
    else this.#counts.accepted += 1;
    if (kind === 'will') this.#counts.wills += 1;
  }

  /** A publish that is not stored, or of which that is not known. */
  refused(clientId: string, { kind, topic, qos }: MqttPublish, error: Error): void {
    const cause = causeOf(error);
    const isDropped = cause === 'refusedFull' && qos === 0;
    this.#counts[isDropped ? 'droppedExpress' : cause] += 1;
    if (kind === 'will') this.#counts.lostWills += 1;
    const text = `ingress: client ${shown(clientId)}, topic ${shown(topic)}, QoS ${qos}${kind === 'will' ? ', its will' : ''}: ${error.message}`;
    if (cause === 'refusedFull' && !isDropped) this.#full = { atMs: performance.now(), text: error.message };
    this.#warn(text);
  }

  /** A client, or what it asked for. */
  turnedAway(cause: IngressCause, reason: string): void {
    this.#counts[cause] += 1;
    this.#warn(`ingress: ${reason}`);
  }

  /** Why clients were cut off lately; undefined when they were not. */
  get trouble(): string | undefined {
    const full = this.#full;
    return full !== undefined && performance.now() - full.atMs < TROUBLE_MS ? full.text : undefined;
  }

  #warn(text: string): void {
    const line = this.#valve.pass(text, performance.now());
    if (line !== undefined) this.#log('warn', line);
  }
}

function causeOf(error: Error): IngressCause {
  if (!(error instanceof RingmailError)) return 'refusedMessages';
  if (hasCode(error, 'ROUTE_NOT_FOUND') && error.details.address.startsWith('mqtt:')) return 'refusedTopics';
  switch (error.code) {
    case 'QUEUE_FULL':
    case 'BUSY':
      return 'refusedFull';
    case 'IN_DOUBT':
    case 'NODE_STOPPED':
      return 'refusedStore';
    default:
      return 'refusedMessages';
  }
}

/** Of what a client says: never to be taken for the node's own words. */
export function shown(text: string): string {
  const cut = text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
  return JSON.stringify(cut);
}
