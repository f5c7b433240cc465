/** Senders that put, or put, receive and acknowledge, each waiting for every answer; and what that cost. */
import { type DeviceCounters, readCounters, syncFileSystem } from './device.ts';
import { Histogram } from './histogram.ts';
import { LoopDelay } from './loop-delay.ts';
import type { Subject } from './subjects/subject.ts';

/** `put`: store only. `cycle`: store, receive the most urgent message, acknowledge it. */
export type Workload = 'put' | 'cycle';

export interface Load {
  readonly workload: Workload;
  readonly senders: number;
  readonly bodyBytes: number;
  readonly priority: number;
  /** Ends when this long has passed, or so many messages were put, whichever is first. */
  readonly ms: number;
  readonly messagesMax: number;
  /** The delay of the event loop costs a timer a millisecond: watched only where it is the question. */
  readonly loopDelay?: 'watch' | 'leave';
}

export interface Measured {
  readonly messages: number;
  readonly messagesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerMessage: number;
  readonly deviceBytesPerMessage: number | undefined;
  readonly flushesPerMessage: number | undefined;
  readonly rssMb: number;
  readonly loopDelayP99Ms: number | undefined;
}

const BODIES = 64;
/**
 * On a slow medium a stretch goes on for these, though not for ever: what the file system writes when it is synced at the end is shared
 * by all messages of the stretch.
 */
const MESSAGES_MIN = 300;
const SLOW_FACTOR = 4;
/** What a message takes in a ring beside its body. */
export const ENTRY_BYTES = 64;
/** Of the ring: 49 % may live, a sixty-fourth of it is kept for META, and there must be room for the messages that pass. */
const MESSAGES_PERCENT_MAX = 47;
const PIN = { workload: 'put', senders: 256, priority: 0, ms: Infinity } as const;
const MEBIBYTE = 1024 * 1024;

/** Runs a load; returns how many messages went through. */
export async function runLoad(subject: Subject, load: Load, latency = new Histogram()): Promise<number> {
  const bodies = Array.from({ length: BODIES }, (_, i) => bodyOf(load.bodyBytes, i));
  const { workload, priority, messagesMax } = load;
  const endMs = performance.now() + load.ms;
  const slowEndMs = endMs + SLOW_FACTOR * load.ms;
  let started = 0;
  const sender = async () => {
    for (;;) {
      const startMs = performance.now();
      if (startMs >= (started < MESSAGES_MIN ? slowEndMs : endMs) || started >= messagesMax) return;
      const body = bodies[started++ % BODIES] ?? new Uint8Array(0);
      await subject.put(priority, body);
      if (workload === 'cycle') {
        const received = subject.receive();
        await subject.ack(received instanceof Promise ? await received : received);
      }
      latency.add(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: load.senders }, sender));
  return started;
}

/** Runs a load and says what it cost: of the process and all its threads, and of the device where it is an own one. */
export async function measure(
  subject: Subject,
  load: Load,
  place: { readonly directory: string; readonly statPath: string | undefined },
): Promise<Measured> {
  const latency = new Histogram();
  syncFileSystem(place.directory);
  const before = countersOf(place.statPath);
  const cpuBefore = process.cpuUsage();
  const loopDelay = load.loopDelay === 'watch' ? new LoopDelay() : undefined;
  const startMs = performance.now();
  const messages = await runLoad(subject, load, latency);
  const ms = performance.now() - startMs;
  const loopDelayP99Ms = loopDelay?.stop();
  const cpu = process.cpuUsage(cpuBefore);
  const rssMb = process.memoryUsage.rss() / MEBIBYTE;
  const after = countersOf(place.statPath);
  syncFileSystem(place.directory);
  const settled = countersOf(place.statPath);
  const per = (total: number | undefined) => (total === undefined ? undefined : total / messages);
  return {
    messages,
    messagesPerSecond: (messages * 1000) / ms,
    p50Ms: latency.percentile(0.5),
    p99Ms: latency.percentile(0.99),
    cpuUsPerMessage: (cpu.user + cpu.system) / messages,
    deviceBytesPerMessage: per(settled && before && settled.bytesWritten - before.bytesWritten),
    flushesPerMessage: per(after && before && after.flushes - before.flushes),
    rssMb,
    loopDelayP99Ms,
  };
}

/**
 * Messages of the lowest priority, which nobody will receive, until they take so much of the ring. A ring keeps a part of what may
 * live in it from messages: beyond `MESSAGES_PERCENT_MAX` it is filled up with META, and the others get as many messages as it has.
 */
export async function pin(
  subject: Subject,
  fill: { bodyBytes: number; ringBytes: number; pinnedPercent: number },
): Promise<void> {
  const percent = Math.min(fill.pinnedPercent, MESSAGES_PERCENT_MAX);
  const count = Math.floor((fill.ringBytes * percent) / 100 / (ENTRY_BYTES + fill.bodyBytes));
  await runLoad(subject, { ...PIN, bodyBytes: fill.bodyBytes, messagesMax: count });
  await subject.fillUp?.(fill.pinnedPercent);
}

/** Receives and acknowledges so many messages. */
export async function drain(subject: Subject, messages: number): Promise<void> {
  let left = messages;
  const receiver = async () => {
    while (left-- > 0) await subject.ack(await subject.receive());
  };
  await Promise.all(Array.from({ length: PIN.senders }, receiver));
}

function countersOf(statPath: string | undefined): DeviceCounters | undefined {
  return statPath === undefined ? undefined : readCounters(statPath);
}

export function bodyOf(bytes: number, seed: number): Uint8Array {
  const body = new Uint8Array(bytes);
  for (let i = 0, x = seed + 1; i < bytes; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    body[i] = x >>> 24;
  }
  return body;
}
