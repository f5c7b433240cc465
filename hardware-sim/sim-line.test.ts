/** That a simulated line is as bad as it is asked to be. That it is a line at all: test/line.test.ts. */
import { describe, expect, test } from 'vitest';
import { toUtf8 } from '../shared/bytes.ts';
import { lineBench as bench, bytesOf, run, text } from './line-bench.ts';
import { STALLED_BYTES_MAX } from './line-direction.ts';
import { BREAK_BYTES_MAX, type SimLineFaults } from './line-faults.ts';
import { stream } from './random.ts';

const SENT = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 7) & 0xff);

/** What comes out for SENT. */
function damaged(faults: Partial<SimLineFaults>, sent = SENT, seed = 1): number[] {
  const it = bench({ seed });
  Object.assign(it.pair.faults.aToB, faults);
  it.pair.a.write(sent);
  run(it, 60_000);
  return bytesOf(it.b);
}

/** `part` can be had from `whole` by leaving bytes out. */
function isPartOf(part: readonly number[], whole: readonly number[]): boolean {
  let at = 0;
  for (const byte of whole) if (byte === part[at]) at += 1;
  return at === part.length;
}

describe('damage', () => {
  test('without faults nothing is changed and nothing is drawn', () => {
    const it = bench();
    it.pair.a.write(SENT);
    it.pair.b.write(SENT);
    run(it, 60_000);
    expect(bytesOf(it.b)).toEqual([...SENT]);
    expect(it.random.uint32()).toBe(stream(1, 'line').uint32());
  });

  test('a knob may be turned at any time, and turned off again leaves no trace', () => {
    const it = bench();
    it.pair.faults.aToB.burstRate = 0.05;
    it.pair.a.write(SENT.subarray(0, 1000));
    run(it, 1_000);
    expect(bytesOf(it.b)).not.toEqual([...SENT.subarray(0, 1000)]);
    it.pair.faults.aToB.burstRate = 0;
    it.b.chunks.length = 0;
    it.pair.a.write(SENT);
    run(it, 60_000);
    expect(bytesOf(it.b)).toEqual([...SENT]);
  });

  test('one seed, one damage', () => {
    const faults = { burstRate: 0.001, duplicateRate: 0.001, breakRate: 0.001, overrunRate: 0.1 };
    expect(damaged(faults)).toEqual(damaged(faults));
    expect(damaged(faults)).not.toEqual(damaged(faults, SENT, 2));
  });

  test('bursts: errors come in company', () => {
    const out = damaged({ burstRate: 1 / 500, burstBytesMean: 20 });
    expect(out).toHaveLength(SENT.length);
    const wrong = [...SENT.keys()].filter((i) => out[i] !== SENT[i]);
    // A burst each 520 bytes, half of its 20 bytes garbage.
    expect(wrong.length).toBeGreaterThan(200);
    expect(wrong.length).toBeLessThan(700);
    const close = wrong.filter((at, i) => at - (wrong[i - 1] ?? -1_000) < 10);
    expect(close.length / wrong.length).toBeGreaterThan(0.75);
  });

  test('bytes come twice, beside themselves', () => {
    const out = damaged({ duplicateRate: 0.01 });
    expect(out.length / SENT.length).toBeCloseTo(1.01, 2);
    expect(out.filter((byte, i) => i === 0 || byte !== out[i - 1])).toEqual([...SENT]);
  });

  test('an overrun costs the middle of a lot, never its ends', () => {
    const out = damaged({ overrunRate: 1 }, SENT.subarray(0, 46));
    expect(out.length).toBeLessThan(46);
    expect([out[0], out.at(-1)]).toEqual([SENT[0], SENT[45]]);
    const head = out.findIndex((byte, i) => byte !== SENT[i]);
    const gap = 46 - out.length;
    expect(out.slice(head)).toEqual([...SENT.subarray(head + gap, 46)]);
    expect(isPartOf(damaged({ overrunRate: 0.5 }), [...SENT])).toBe(true);
    expect(damaged({ overrunRate: 1 }, SENT.subarray(0, 3))).toEqual([SENT[0], SENT[2]]);
  });

  test('a break is a run of zeros', () => {
    const out = damaged({ breakRate: 0.002 }, new Uint8Array(20_000).fill(7));
    expect(out.filter((byte) => byte === 7)).toHaveLength(20_000);
    const runs = String.fromCharCode(...out).match(/\0+/g) ?? [];
    expect(runs.length).toBeGreaterThan(20);
    expect(Math.max(...runs.map((zeros) => zeros.length))).toBeLessThanOrEqual(2 * BREAK_BYTES_MAX);
    expect(Math.max(...runs.map((zeros) => zeros.length))).toBeGreaterThan(8);
  });

  test('a terminal in between: takes XON and XOFF, turns CR into LF, doubles 0xFF', () => {
    const sent = Uint8Array.of(0x10, 0x11, 0x12, 0x13, 0x0d, 0x0a, 0xff, 0xfe);
    expect(damaged({ xonXoff: 'swallowed' }, sent)).toEqual([0x10, 0x12, 0x0d, 0x0a, 0xff, 0xfe]);
    expect(damaged({ carriageReturn: 'lf' }, sent)).toEqual([0x10, 0x11, 0x12, 0x13, 0x0a, 0x0a, 0xff, 0xfe]);
    expect(damaged({ ff: 'doubled' }, sent)).toEqual([0x10, 0x11, 0x12, 0x13, 0x0d, 0x0a, 0xff, 0xff, 0xfe]);
    expect(damaged({ xonXoff: 'swallowed' }, Uint8Array.of(0x11, 0x13))).toEqual([]);
  });

  test('another speed: all is garbage, of another length', () => {
    const out = damaged({ baud: 'other' });
    expect(out.length / SENT.length).toBeCloseTo(0.75, 1);
    const right = out.filter((byte, i) => byte === SENT[i]).length;
    expect(right / out.length).toBeLessThan(0.01);
  });

  test('a piece is as small as asked for: every offset is a boundary', () => {
    const it = bench();
    it.pair.faults.aToB.pieceBytesMax = 1;
    it.pair.a.write(SENT.subarray(0, 300));
    run(it, 1_000);
    expect(it.b.chunks).toHaveLength(300);
    it.pair.faults.aToB.pieceBytesMax = 7;
    it.pair.a.write(SENT.subarray(300, 600));
    run(it, 1_000);
    expect(Math.max(...it.b.chunks.map((chunk) => chunk.length))).toBe(7);
    expect(bytesOf(it.b)).toEqual([...SENT.subarray(0, 600)]);
  });
});

describe('bytes of nobody', () => {
  test('an echo: the writer hears itself, and the other end hears it too', () => {
    const it = bench({ delayMs: 50 });
    it.pair.faults.aToB.echo = 'local';
    it.pair.b.write(toUtf8('theirs'));
    run(it, 10);
    it.pair.a.write(toUtf8('mine'));
    run(it, 10);
    expect(text(it.a)).toBe('mine');
    run(it, 100);
    expect([text(it.a), text(it.b)]).toEqual(['minetheirs', 'mine']);
    it.pair.faults.aToB.echo = 'none';
    it.pair.a.write(toUtf8('!'));
    run(it, 100);
    expect([text(it.a), text(it.b)]).toEqual(['minetheirs', 'mine!']);
  });

  test('a banner comes out in the midst of what is being sent', () => {
    const it = bench();
    it.pair.a.write(new Uint8Array(200).fill(46));
    run(it, 8);
    const banner = toUtf8('boot 1.0\r\n');
    it.pair.say('aToB', banner);
    banner.fill(0);
    run(it, 100);
    expect(text(it.b)).toMatch(/^\.{46,150}boot 1\.0\r\n\.{46,150}$/);
    expect(text(it.b).replace('boot 1.0\r\n', '')).toHaveLength(200);
    expect(it.a.chunks).toEqual([]);
  });
});

describe('gone without a word', () => {
  test('half-open: one way vanishes, the other works, and the writer sees nothing of it', () => {
    const it = bench();
    it.pair.silence('aToB');
    expect(it.pair.a.write(toUtf8('into the void'))).toBe(0);
    it.pair.b.write(toUtf8('heard'));
    run(it, 1_000);
    expect([text(it.a), text(it.b)]).toEqual(['heard', '']);
    it.pair.restore('aToB');
    it.pair.a.write(toUtf8('back'));
    run(it, 1_000);
    expect(text(it.b)).toBe('back');
    expect(it.pair.isClosed).toBe(false);
  });

  test('unplugged and told: both ends close', () => {
    const it = bench();
    it.pair.a.write(toUtf8('lost'));
    it.pair.cut();
    run(it, 1_000);
    expect([it.a.closed, it.b.closed, text(it.b)]).toEqual([['unplugged'], ['unplugged'], '']);
  });

  test('unplugged and not told: what is written stays unsent, without an end or an error', () => {
    const it = bench();
    it.pair.freeze();
    expect(it.pair.a.write(toUtf8('one'))).toBe(3);
    expect(it.pair.a.write(toUtf8('two'))).toBe(6);
    run(it, 600_000);
    expect(it).toMatchObject({ a: { chunks: [], closed: [], drained: 0 }, b: { chunks: [], closed: [] } });
    it.pair.thaw();
    run(it, 1_000);
    expect([text(it.b), it.a.drained]).toEqual(['onetwo', 1]);
  });

  test('unplugged and not told: what was in the wire is lost', () => {
    const it = bench();
    it.pair.a.write(toUtf8('lost'));
    it.pair.freeze('aToB');
    it.pair.thaw('aToB');
    it.pair.a.write(toUtf8('kept'));
    run(it, 1_000);
    expect(text(it.b)).toBe('kept');
  });

  test('a stall: what left arrives minutes later, all in one', () => {
    const it = bench({ delayMs: 5 });
    it.pair.stall('aToB');
    for (const word of ['old ', 'older ', 'oldest ']) {
      it.pair.a.write(toUtf8(word));
      run(it, 60_000);
    }
    it.pair.b.write(toUtf8('meanwhile'));
    run(it, 1_000);
    expect([it.b.chunks.length, text(it.a)]).toEqual([0, 'meanwhile']);
    it.pair.release('aToB');
    run(it, 0);
    expect([it.b.chunks.length, text(it.b)]).toEqual([1, 'old older oldest ']);
    it.pair.a.write(toUtf8('new'));
    run(it, 1_000);
    expect(text(it.b)).toBe('old older oldest new');
  });

  test('a stall keeps no more than so much', () => {
    const it = bench({ baud: undefined });
    it.pair.stall();
    for (let i = 0; i < 40; i++) {
      it.pair.a.write(new Uint8Array(10_000));
      run(it, 10);
    }
    it.pair.release();
    run(it, 10);
    expect(bytesOf(it.b)).toHaveLength(STALLED_BYTES_MAX - (STALLED_BYTES_MAX % 10_000));
  });
});
