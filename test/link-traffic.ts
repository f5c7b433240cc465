/** Real sessions of the link over lines in virtual time, written down byte by byte as they were said and as they were heard. */
import { bodyOf, LARGE_RING_BYTES, LinkWorld, type LinkWorldOptions, SMALL_RING_BYTES } from '../hardware-sim/link-world.ts';
import { lossOf } from '../shared/custody/accounts.ts';
import { endNumbers } from '../shared/custody/outgoing.ts';
import type { Line } from '../shared/ports.ts';

/** A chunk as it was given to a line, or as a line gave it to somebody. */
export interface Chunk {
  readonly by: 'device' | 'gateway';
  readonly bytes: Uint8Array;
}

export interface Traffic {
  readonly name: string;
  readonly said: readonly Chunk[];
  readonly heard: readonly Chunk[];
}

const BAGS = 'gateway/bags';
const NOISE = { dropRate: 4e-4, flipRate: 1e-3, insertRate: 2e-4, breakRate: 1e-4 };

/** One life of a device and a gateway each; together they say every type of packet that this version says. */
export function recordTraffic(): Traffic[] {
  return [
    record('clean', { baud: 921_600 }, (w) => {
      for (let i = 0; i < 40; i++) w.device.send(BAGS, bodyOf(i, (i * 37) % 300), i % 8);
      w.device.send(BAGS, bodyOf(99, 3_000));
      deliver(w);
      w.run(80_000);
      w.device.step(() => w.device.link.stop(w.world.nowMs));
      w.run(1_000);
    }),
    record('noisy', { baud: 921_600, faults: { aToB: NOISE, bToA: NOISE } }, (w) => {
      for (let i = 0; i < 150; i++) {
        w.device.send(BAGS, bodyOf(i, (i * 53) % 700), i % 8);
        w.run(20);
      }
      deliver(w);
    }),
    record('slow', { baud: 9_600, faults: { aToB: { dropRate: 2e-3 } } }, (w) => {
      for (let i = 0; i < 12; i++) w.device.send(BAGS, bodyOf(i, 100));
      deliver(w);
    }),
    record('cut short', { baud: 9_600 }, (w) => {
      for (const priority of [0, 7]) w.device.send(BAGS, bodyOf(priority, 10), priority);
      deliver(w);
      for (let i = 0; i < 8; i++) {
        for (let n = 0; n < 4; n++) w.device.send(BAGS, bodyOf(10 * i + n, 150), 0);
        w.run(150 + 13 * i);
        w.device.send(BAGS, bodyOf(i, 10), 7);
      }
      deliver(w);
    }),
    record('refused', { baud: 921_600, ringBytes: LARGE_RING_BYTES, gatewayRingBytes: SMALL_RING_BYTES }, (w) => {
      for (let i = 0; i < 5; i++) w.device.send(BAGS, bodyOf(i, i === 2 ? 60_000 : 100));
      w.run(20_000);
    }),
    record('socket', { baud: undefined }, (w) => {
      for (let i = 0; i < 200; i++) w.device.send(BAGS, bodyOf(i, 80), i % 3);
      deliver(w);
    }),
    record('full queue', { baud: undefined, queues: [{ name: 'bags', bytesLimit: 6_000 }] }, (w) => {
      for (let i = 0; i < 60; i++) w.device.send(BAGS, bodyOf(i, 200));
      w.run(3_000);
      w.gateway.consume('bags', 100);
      w.run(3_000);
    }),
    record('ended', { baud: 921_600 }, (w) => {
      w.lines?.silence();
      for (let i = 0; i < 6; i++) w.device.send(BAGS, bodyOf(i, 60));
      w.run(100);
      for (const number of [2, 3, 5]) expireAtDevice(w, number);
      w.lines?.restore();
      w.run(40_000);
    }),
    record('moved', { baud: undefined }, (w) => {
      for (let i = 0; i < 4; i++) w.device.send(BAGS, bodyOf(i, 50));
      deliver(w);
      w.gateway.kill();
      w.gateway.disk.poke(0, new LinkWorld({ seed: 2, baud: undefined }).gateway.disk.platter());
      w.run(40_000);
      w.gateway.open();
      w.until(() => w.gateway.isServing, 1_000);
      w.device.send(BAGS, bodyOf(5, 50));
      w.connect();
      w.run(5_000);
    }),
    record('rolled back', { baud: undefined }, (w) => {
      const before = w.device.disk.platter();
      for (let i = 0; i < 4; i++) w.device.send(BAGS, bodyOf(i, 50));
      deliver(w);
      w.device.kill();
      w.device.disk.poke(0, before);
      w.device.open();
      w.until(() => w.device.isServing, 1_000);
      w.connect();
      w.run(3_000);
    }),
    record('two lines', { baud: 921_600 }, (w) => {
      for (let i = 0; i < 3; i++) w.device.send(BAGS, bodyOf(i, 50));
      deliver(w);
      w.connect();
      w.run(5_000);
    }),
  ];
}

function record(name: string, options: Omit<LinkWorldOptions, 'seed'>, play: (w: LinkWorld) => void): Traffic {
  const w = new LinkWorld({ seed: name, ...options });
  const said: Chunk[] = [];
  const heard: Chunk[] = [];
  const on = w.tap.on.bind(w.tap);
  w.tap.on = (line: Line, by: Chunk['by']) => {
    const watched: Line = {
      write: (bytes) => {
        said.push({ by, bytes: bytes.slice() });
        return line.write(bytes);
      },
      close: () => line.close(),
      listen: (listener) =>
        line.listen({
          ...listener,
          onBytes: (bytes) => {
            heard.push({ by, bytes: bytes.slice() });
            listener.onBytes(bytes);
          },
        }),
    };
    return on(watched, by);
  };
  w.start();
  w.until(() => w.device.parts.sender.state === 'ready', 60_000);
  w.run(100);
  play(w);
  return { name, said, heard };
}

function deliver(w: LinkWorld): void {
  w.until(() => w.isDelivered(), 120_000);
  w.check();
}

/** A message of the first stream ends at the device before the gateway has it. */
function expireAtDevice(w: LinkWorld, number: number): void {
  w.device.step(() => {
    const { store } = w.device.parts;
    const { index } = store.ring;
    for (const out of store.outgoing) {
      for (let slot = out.list.head; slot >= 0; slot = out.list.next(slot)) {
        if (index.number(slot) !== number) continue;
        const gap = endNumbers(out, { from: number, to: number, class: 'RECEIVE_TIMEOUT', node: store.self.name });
        const acks = [{ id: index.id(slot), reason: 'expired' as const }];
        out.list.remove(slot);
        const account = store.account(lossOf(out.handle, 'RECEIVE_TIMEOUT', [{ from: number, to: number }]));
        store.commit({ acks, metas: [gap, account] }, () => {});
        return;
      }
    }
  });
}
