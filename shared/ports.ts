/**
 * What the core needs of the world. Each port has two implementations today, a real and a simulated one, and one contract suite
 * that both pass. A port never calls its listener from inside a call of yours.
 */

/** What must still stand in the file for a write to be ours to make: another owner would have changed it. */
export interface Fence {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Bytes that survive a power cut. One instance owns the file. */
export interface RingFile {
  /** Length in bytes. Fixed for the life of the file. */
  readonly size: number;
  /** Fills `into` from `offset`. Fails if the range leaves the file or the medium cannot give the bytes. */
  read(offset: number, into: Uint8Array): void | Promise<void>;
  /**
   * Done when these bytes would survive a power cut; until then any sector of them may be old, new or garbage.
   * Fails, without writing, when the fence does not hold. Fails once and for good: after a failure nothing more may be written
   * through this instance.
   */
  writeDurable(offset: number, bytes: Uint8Array, fence?: Fence): void | Promise<void>;
  /** Gives up ownership. Every call after it fails. */
  close(): void | Promise<void>;
}

export interface LineListener {
  onBytes(bytes: Uint8Array): void;
  /** Once, whoever ended it. Nothing comes after it. */
  onClosed(reason: string): void;
  /** The line holds no unsent bytes any more. */
  onDrained?(): void;
}

/** A byte stream to a peer: serial port, TCP or Unix socket, or simulated. */
export interface Line {
  /** Hands bytes to the line. Returns how many bytes it holds unsent afterwards; the caller paces itself by that. */
  write(bytes: Uint8Array): number;
  /** Ends it. `onClosed` still comes, once. */
  close(): void;
  /** Set once, before the first byte can arrive. */
  listen(listener: LineListener): void;
}

export interface BrokerListener {
  /** Connected, with a clean session: nothing is subscribed and nothing of earlier is on its way. The largest packet the broker takes, if it says. */
  onUp(packetBytesMax?: number): void;
  onDown(reason: string): void;
  /** The broker said that it does not take a publish, or that nobody would get it, and why; only one of MQTT 5 does. */
  onRefused?(reason: string): void;
  onMessage(topic: string, payload: Uint8Array): void;
}

/** What MQTT 5 says beside a payload. Left out over MQTT 3.1.1. */
export interface PublishProperties {
  readonly contentType?: string;
  readonly correlationId?: string;
  /** Names may come twice. */
  readonly user: readonly (readonly [string, string])[];
}

/** A publish of the core. */
export interface Publish {
  topic: string;
  payload: Uint8Array;
  /** 1: the broker confirms it; 0: fire and forget (never for anything that carries custody). */
  qos: 0 | 1;
  retain: 'retain' | 'transient';
  properties?: PublishProperties;
}

export type PublishEnd = 'acknowledged' | 'failed';

/** An MQTT broker as ringmail uses it: QoS 1 both ways, clean sessions, no memory that anything relies on. */
export interface Broker {
  listen(listener: BrokerListener): void;
  /**
   * While up. Fire and forget from here: only a receipt says that it was stored. Dropped when not up. `ended` is called at most once, never
   * from inside a call of yours: `acknowledged` by the broker's PUBACK, `failed` when there will be none though the connection stands.
   * What was on its way when that ends is in doubt, and nothing is said of it any more.
   */
  publish(publish: Publish, ended?: (outcome: PublishEnd) => void): void;
  /** While up; lost with the connection. */
  subscribe(topics: readonly string[]): void;
  /**
   * Of one that connects only when it is wanted: `apart` says goodbye, and `onDown` follows unless it was down already; `connected` lets it
   * connect, and again whenever the connection ends. Left out by those that are always wanted.
   */
  want?(wanted: Wanted): void;
  close(): void | Promise<void>;
}

export type Wanted = 'connected' | 'apart';

/** Time as the core sees it: monotonic milliseconds of this boot, never the wall clock. */
export interface Timers {
  nowMs(): number;
  /** Calls back once, after the events at hand and never from inside this call. */
  soon(callback: () => void): void;
  /** Calls back once, not before `atMs` and never from inside this call. Replaces what was set before. */
  wake(atMs: number, callback: () => void): void;
  /** Nothing is called any more. */
  cancel(): void;
}

/** The date as the machine believes it. May be wrong, stand at 1970, or be set at any time: nothing is ordered or validated by it. */
export interface WallClock {
  /** Microseconds since 1970. */
  nowUs(): number;
}

/** Chance. `bytes(n)` gives n of them, unpredictable in the product, seeded in the simulator. */
export interface Random {
  bytes(count: number): Uint8Array;
}
