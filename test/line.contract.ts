/**
 * What every implementation of the Line port promises. A maker gives two ends that lead to each other, and says how to wait: a
 * simulated line moves its own clock.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { Line } from '../shared/ports.ts';

export interface LineEnds {
  /** The line under test. */
  readonly line: Line;
  /** Who is at its other end. */
  readonly peer: Line;
  /** Waits until it is true; fails when that takes too long. */
  readonly until: (isTrue: () => boolean) => Promise<void>;
  /** Waits long enough for anything that may still come. */
  readonly rest: () => Promise<void>;
  readonly release: () => Promise<void>;
  /** Whether one end closes with the other, as sockets do. */
  readonly ends: 'together' | 'apart';
  /** More bytes than it takes at once. */
  readonly bulkBytes: number;
  /** The other end takes nothing any more, from before it listens, and what is written waits; `go`: it takes it all. */
  readonly hold: { stop(): void; go(): void };
  /** What the line under test writes from now on vanishes, and nothing tells it. */
  readonly deafen: () => void;
  /** What becomes of a write that nobody ever takes. */
  readonly stuckWrite: 'ends the line' | 'waits';
}

export type MakeLine = () => Promise<LineEnds>;

interface Ear {
  readonly bytes: number[];
  count: number;
  readonly closed: string[];
  drained: number;
  onBytes(bytes: Uint8Array): void;
  onClosed(reason: string): void;
  onDrained(): void;
}

function ear(): Ear {
  const heard: Ear = {
    bytes: [],
    count: 0,
    closed: [],
    drained: 0,
    onBytes: (bytes) => {
      heard.count += bytes.length;
      if (heard.count <= 2 * LONG_BYTES) heard.bytes.push(...bytes);
    },
    onClosed: (reason) => void heard.closed.push(reason),
    onDrained: () => {
      heard.drained += 1;
    },
  };
  return heard;
}

const allBytes = Uint8Array.from({ length: 256 }, (_, i) => i);
const LONG_BYTES = 100_000;
/** Less than a terminal holds: the serial port package may stall on more while it receives. */
const WORD_BYTES = 3_000;

/** `missing`: why there is none on this machine. */
export function lineContract(name: string, make: MakeLine, missing?: string): void {
  describe.skipIf(missing !== undefined)(`Line contract: ${name}${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
    const made: LineEnds[] = [];
    const lines = async (): Promise<LineEnds & { heard: Ear; peerHeard: Ear }> => {
      const ends = await make();
      made.push(ends);
      const heard = ear();
      const peerHeard = ear();
      ends.line.listen(heard);
      ends.peer.listen(peerHeard);
      return { ...ends, heard, peerHeard };
    };
    afterEach(async () => {
      for (const ends of made.splice(0)) await ends.release();
    });

    test('carries all 256 bytes both ways, unchanged', async () => {
      const { line, peer, heard, peerHeard, until } = await lines();
      line.write(allBytes);
      peer.write(allBytes);
      await until(() => peerHeard.bytes.length === 256 && heard.bytes.length === 256);
      expect(peerHeard.bytes).toEqual([...allBytes]);
      expect(heard.bytes).toEqual([...allBytes]);
    });

    test('carries much, in order', async () => {
      const { line, peerHeard, until } = await lines();
      const sent: number[] = [];
      for (let i = 0; sent.length < LONG_BYTES; i++) {
        const part = Uint8Array.from({ length: 1 + ((i * 37) % 4_000) }, (_, k) => (i + k * 7) & 0xff);
        sent.push(...part);
        line.write(part);
      }
      await until(() => peerHeard.bytes.length >= sent.length);
      expect(Buffer.from(peerHeard.bytes).equals(Buffer.from(sent))).toBe(true);
    });

    test('says what it holds unsent, and when it holds nothing any more', async () => {
      const { line, heard, peerHeard, until, rest, bulkBytes } = await lines();
      const unsent: number[] = [];
      for (let i = 0; i < 20; i++) unsent.push(line.write(new Uint8Array(bulkBytes / 20)));
      expect(Math.min(...unsent)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...unsent)).toBeGreaterThan(0);
      expect(heard.drained).toBe(0);
      await until(() => peerHeard.count === bulkBytes && heard.drained > 0);
      await rest();
      expect(line.write(new Uint8Array(0))).toBe(0);
    });

    test('drains after a stall: what was held is heard whole, and it is said once', async () => {
      const ends = await make();
      made.push(ends);
      const { line, peer, until, rest, bulkBytes } = ends;
      const heard = ear();
      const peerHeard = ear();
      line.listen(heard);
      ends.hold.stop();
      peer.listen(peerHeard);
      for (let i = 0; i < 20; i++) line.write(new Uint8Array(bulkBytes / 20).fill(i));
      await rest();
      expect(line.write(new Uint8Array(0))).toBeGreaterThan(0);
      expect([heard.drained, heard.closed, peerHeard.count < bulkBytes]).toEqual([0, [], true]);
      ends.hold.go();
      await until(() => peerHeard.count === bulkBytes && heard.drained > 0);
      await rest();
      expect([line.write(new Uint8Array(0)), heard.drained, peerHeard.count]).toEqual([0, 1, bulkBytes]);
    });

    test('a write that nobody takes is never called sent: it ends the line with a reason, or waits', async () => {
      const ends = await make();
      made.push(ends);
      const { line, peer, until, rest, bulkBytes } = ends;
      const heard = ear();
      line.listen(heard);
      ends.hold.stop();
      peer.listen(ear());
      line.write(new Uint8Array(bulkBytes));
      if (ends.stuckWrite === 'ends the line') await until(() => heard.closed.length > 0);
      else await rest();
      await rest();
      expect(heard.drained).toBe(0);
      const reasons = ends.stuckWrite === 'ends the line' ? [expect.stringMatching(/^a write took more than \d+ ms$/)] : [];
      expect(heard.closed).toEqual(reasons);
    }, 20_000);

    test('half-open: what is written vanishes, without an error or an end, and the other way still works', async () => {
      const { line, peer, heard, peerHeard, until, rest, deafen } = await lines();
      deafen();
      line.write(allBytes);
      await rest();
      line.write(allBytes);
      peer.write(allBytes);
      await until(() => heard.bytes.length === 256);
      await rest();
      expect([peerHeard.count, heard.closed, heard.bytes]).toEqual([0, [], [...allBytes]]);
    });

    test('byte by byte, both ways at once', async () => {
      const { line, peer, heard, peerHeard, until } = await lines();
      for (const byte of allBytes) {
        line.write(Uint8Array.of(byte));
        peer.write(Uint8Array.of(255 - byte));
      }
      await until(() => peerHeard.bytes.length === 256 && heard.bytes.length === 256);
      expect(peerHeard.bytes).toEqual([...allBytes]);
      expect(heard.bytes).toEqual([...allBytes].reverse());
    });

    test('takes a copy of what is written', async () => {
      const { line, peerHeard, until } = await lines();
      const bytes = allBytes.slice();
      for (let i = 0; i < 100; i++) {
        bytes.fill(i);
        line.write(bytes);
      }
      bytes.fill(0xee);
      await until(() => peerHeard.bytes.length === 100 * 256);
      expect(peerHeard.bytes).toEqual(Array.from({ length: 100 * 256 }, (_, i) => i >> 8));
    });

    test('never calls from inside a call', async () => {
      const ends = await make();
      made.push(ends);
      let inside = 'nothing';
      const calls: string[] = [];
      const noted = (act: () => void): void => {
        calls.push(inside);
        act();
      };
      const during = (what: string, act: () => void): void => {
        inside = what;
        act();
        inside = 'nothing';
      };
      const heard = ear();
      const peerHeard = ear();
      ends.peer.write(Uint8Array.of(1));
      during('listen', () => {
        ends.line.listen({
          onBytes: (bytes) => noted(() => heard.onBytes(bytes)),
          onClosed: (reason) => noted(() => heard.onClosed(reason)),
          onDrained: () => noted(() => heard.onDrained()),
        });
      });
      ends.peer.listen(peerHeard);
      let unsent = 0;
      during('write', () => {
        unsent = ends.line.write(new Uint8Array(WORD_BYTES));
      });
      await ends.until(() => heard.bytes.length === 1 && (unsent === 0 || heard.drained > 0));
      during('close', () => ends.line.close());
      await ends.until(() => heard.closed.length > 0);
      expect(new Set(calls)).toEqual(new Set(['nothing']));
    });

    test('what was written before anybody listened is heard', async () => {
      const ends = await make();
      made.push(ends);
      ends.line.write(allBytes);
      ends.peer.write(allBytes);
      await ends.rest();
      const heard = ear();
      const peerHeard = ear();
      ends.line.listen(heard);
      ends.peer.listen(peerHeard);
      await ends.until(() => heard.bytes.length === 256 && peerHeard.bytes.length === 256);
      expect([heard.bytes, peerHeard.bytes]).toEqual([[...allBytes], [...allBytes]]);
    });

    test('closes once, and nothing comes after it', async () => {
      const { line, peer, heard, until, rest } = await lines();
      line.close();
      line.close();
      expect(heard.closed).toEqual([]);
      await until(() => heard.closed.length > 0);
      peer.write(allBytes);
      expect(line.write(allBytes)).toBe(0);
      line.close();
      await rest();
      expect(heard).toMatchObject({ bytes: [], closed: ['closed'], drained: 0 });
    });

    test('tells whoever listens late that it is closed', async () => {
      const ends = await make();
      made.push(ends);
      ends.line.close();
      await ends.rest();
      const heard = ear();
      ends.line.listen(heard);
      expect(heard.closed).toEqual([]);
      await ends.until(() => heard.closed.length > 0);
      expect(heard.closed).toEqual(['closed']);
    });

    test('is closed by the other end, once', async (context) => {
      const { line, peer, heard, until, rest, ends } = await lines();
      context.skip(ends === 'apart', 'the ends of a cable know nothing of each other');
      peer.close();
      await until(() => heard.closed.length > 0);
      line.close();
      await rest();
      expect(heard.closed).toHaveLength(1);
      expect(heard.closed[0]).not.toBe('closed');
    });

    test('has one listener', async () => {
      const { line } = await lines();
      expect(() => line.listen(ear())).toThrow('a line has one listener');
    });
  });
}
