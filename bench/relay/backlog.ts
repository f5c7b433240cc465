/**
 * Devices that were away come back with full rings, while another one sends at a steady rate. Asked is how late what that one sends is,
 * beside what it is when nobody else is there, and what the gateway's memory grows by: the backlog lies in the devices' rings.
 */
import { startMosquitto } from './brokers.ts';
import { percentile } from './looks.ts';
import type { Row } from './rows.ts';
import { pause, type Stage } from './stage.ts';
import { delaysOf } from './through.ts';

const MEBIBYTE = 1024 * 1024;
const CENTRAL_RING_BYTES = 512 * MEBIBYTE;
const GATEWAY_RING_BYTES = 64 * MEBIBYTE;
const LIVE_PER_SECOND = 100;
const LIVE_BODY_BYTES = 128;
const RECEIVERS = 256;
const LOOK_MS = 250;
const IDLE_SECONDS = 5;
const IN_VAIN_MS_MAX = 20_000;

export interface BacklogCase {
  readonly devices: number;
  readonly messagesEach: number;
  readonly bodyBytes: number;
  readonly msMax: number;
  readonly progress: (text: string) => void;
}

/** Rows `backlog/idle` and `backlog`. */
export async function backlog(stage: Stage, given: BacklogCase): Promise<Row[]> {
  const { devices, messagesEach, bodyBytes, progress } = given;
  const messages = devices * messagesEach;
  const broker = await startMosquitto({ folder: stage.place('broker'), memory: 'none' });
  const socketPath = `${stage.place('line')}/s`;
  const { port: brokerPort } = broker;
  const central = await stage.part({
    kind: 'central',
    folder: stage.place('central'),
    brokerPort,
    ringBytes: CENTRAL_RING_BYTES,
    receivers: RECEIVERS,
  });
  const gateway = await stage.part({
    kind: 'gateway',
    folder: stage.place('gateway'),
    brokerPort,
    ringBytes: GATEWAY_RING_BYTES,
    socketPath,
    publishes: 'what-waits',
  });
  const source = { kind: 'devices' as const, socketPath };
  const folder = stage.place('devices');
  progress(`filling ${devices} rings with ${messagesEach} messages each`);
  const away = await stage.part({ ...source, folder, name: 'd', devices, messagesEach, bodyBytes, livePerSecond: 0 });
  const live = await stage.part({
    ...{ ...source, folder: stage.place('live'), name: 'live', devices: 1 },
    ...{ messagesEach: 0, bodyBytes: LIVE_BODY_BYTES, livePerSecond: LIVE_PER_SECOND },
  });
  await live.look();
  await pause(1_000);
  await live.look();
  const idle = await delaysOf(central, IDLE_SECONDS);
  const rssMb = (await gateway.look()).rssMb;
  progress('the devices are back');
  const begun = await central.look();
  await away.look();
  const delaysMs: number[] = [];
  let [growthMb, held, heldMax] = [0, 0, 0];
  let [at, movedMs, drained] = [begun, performance.now(), 0];
  const deadlineMs = performance.now() + given.msMax;
  for (let waiting = messages; waiting > 0; ) {
    await pause(LOOK_MS);
    at = await central.look();
    delaysMs.push(...at.delaysMs);
    const seen = await gateway.look();
    held = seen.count;
    heldMax = Math.max(heldMax, held);
    growthMb = Math.max(growthMb, seen.rssMb - rssMb - (HELD_BYTES * held) / MEBIBYTE);
    const left = (await away.look()).count;
    if (left !== waiting) movedMs = performance.now();
    waiting = left;
    drained = messages - left;
    if (performance.now() - movedMs > IN_VAIN_MS_MAX) throw new Error(`${left} messages stay where they are`);
    if (performance.now() > deadlineMs) {
      progress(`stopped after ${(given.msMax / 1000).toFixed(0)} s, with ${left} of ${messages} left`);
      break;
    }
  }
  return [
    { case: 'backlog/idle', subject: 'ringmail', ...idle },
    {
      case: 'backlog',
      subject: 'ringmail',
      messagesPerSecond: (1000 * drained) / (at.atMs - begun.atMs),
      p50Ms: percentile(delaysMs, 0.5),
      p99Ms: percentile(delaysMs, 0.99),
      left: messages - drained,
      gatewayMessagesMax: heldMax,
      rssMb: growthMb,
    },
  ];
}

/** What a message in the gateway's ring may take of its memory. */
const HELD_BYTES = 64;
