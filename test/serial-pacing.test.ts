/**
 * Goal: what a driver holds cannot be overtaken, so it never holds more than one packet or 15 ms, whichever is more. Method: a real node
 * on the real serial port package over a pseudo-terminal, whose writes are noted by the clock. A terminal swallows everything at once, so
 * what a UART would still hold is reckoned: it sends at its rate from the moment it got something. The clock is the one that the node read
 * at the beginning of the step: a step that takes long hands over late, and no promise can be kept of a busy processor.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { ptysAvailable } from '../hardware-sim/pty.ts';
import { PtyPort } from '../hardware-sim/pty-cable.ts';
import { stream } from '../hardware-sim/random.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { Node } from '../shared/node/node.ts';
import { openSerialLine } from '../shared/node/serial-line.ts';
import { NodeTimers } from '../shared/node/timers.ts';
import type { Line } from '../shared/ports.ts';

const missing = await ptysAvailable();

/** Line time that may be under way besides one packet, and how early the next one may come, in ms. */
const HELD_MS_MAX = 15;
const EARLY_MS = 2;

interface Write {
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

async function openNode(folder: string, name: string, uplink: NodeConfig['uplink']): Promise<Node> {
  const ringPath = join(folder, `${name}.ring`);
  await createRing(ringPath, { fileBytes: 388 * 4096, fileId: new Uint8Array(16).fill(name.length), volatile: 'allow' });
  const config: NodeConfig = {
    ...{ name, uplink, queues: [{ name: 'bags', bytesLimit: 400_000 }], unknownQueue: 'refuse', queueBytesLimit: 400_000 },
    ...{ central: 'gateway', isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: undefined },
  };
  return Node.open({ config, ringPath, volatile: 'allow' });
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** The time that a node in this process read last. Whoever writes read it in the same step. */
function lastReadTime(): () => number {
  let lastMs = 0;
  const nowMs = NodeTimers.prototype.nowMs;
  vi.spyOn(NodeTimers.prototype, 'nowMs').mockImplementation(function (this: NodeTimers) {
    lastMs = nowMs.call(this);
    return lastMs;
  });
  return () => lastMs;
}

function noted(line: Line, writes: Write[], clock: () => number): Line {
  return {
    write: (bytes) => {
      writes.push({ atMs: clock(), bytes: bytes.slice() });
      return line.write(bytes);
    },
    close: () => line.close(),
    listen: (listener) => line.listen(listener),
  };
}

/** Lengths on the line of the packets in one write, their delimiters with them. */
function packetLengths(bytes: Uint8Array): number[] {
  const lengths: number[] = [];
  let run = 0;
  for (const byte of bytes) {
    if (byte !== 0) run += 1;
    else if (run > 0) {
      lengths.push(run + 2);
      run = 0;
    }
  }
  return lengths;
}

it.skipIf(missing).each([
  [9_600, 20, 100],
  [115_200, 80, 400],
])(
  `at %i bit/s the driver never holds more than a packet or 15 ms${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  async (baud, count, bodyBytes) => {
    const clock = lastReadTime();
    const folder = await mkdtemp(join(tmpdir(), 'ringmail-pacing-'));
    const port = new PtyPort(join(folder, 'port'), { baud, random: stream(1, 'port') });
    const far = await port.plug();
    const gateway = await openNode(folder, 'gateway', 'none');
    const device = await openNode(folder, 'device-1', 'link');
    try {
      for (let i = 0; i < count; i++) {
        const body = new Uint8Array(bodyBytes).fill(i + 1);
        await device.call({ verb: 'send', destination: 'gateway/bags', body, properties: {} });
      }
      void gateway.attach(far, { role: 'accept', baud });
      const writes: Write[] = [];
      const line = await openSerialLine({ path: port.path, baudRate: baud });
      const startMs = performance.now();
      void device.attach(noted(line, writes, clock), { role: 'dial', baud });
      for (let i = 0; i < count; i++) {
        const { kind } = await gateway.call({ verb: 'receive', queue: 'bags', waitMs: 20_000, leaseMs: 60_000 });
        expect(kind).toBe('received');
      }
      const tookMs = performance.now() - startMs;

      const bytesPerMs = baud / 10_000;
      const longest = Math.max(...writes.flatMap(({ bytes }) => packetLengths(bytes)));
      const heldMax = Math.max(longest, HELD_MS_MAX * bytesPerMs) + EARLY_MS * bytesPerMs;
      let held = 0;
      let lastMs = 0;
      const worst = writes.map(({ atMs, bytes }) => {
        held = Math.max(0, held - (atMs - lastMs) * bytesPerMs) + bytes.length;
        lastMs = atMs;
        return held;
      });
      expect(writes.length).toBeGreaterThan(count / 4);
      expect(Math.max(...worst)).toBeLessThanOrEqual(heldMax);
      // And it is not slow for that: the line was busy for most of the time.
      const sentMs = writes.reduce((sum, { bytes }) => sum + bytes.length, 0) / bytesPerMs;
      expect(sentMs / tookMs).toBeGreaterThan(0.4);
    } finally {
      await device.close();
      await gateway.close();
      await port.unplug();
      await rm(folder, { recursive: true });
    }
  },
  60_000,
);
