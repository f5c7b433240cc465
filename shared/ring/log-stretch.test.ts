import { describe, expect, test } from 'vitest';
import type { Frame } from './frame-layout.ts';
import { Stretch, type StretchKind } from './log-stretch.ts';

/** A frame as its parts tell: number, place, length, epoch; its checksum is its number and epoch, its predecessor's as it says. */
function frame(seq: number, rest: Partial<Frame> & { lsn: number }): Frame {
  const epoch = rest.epoch ?? 1;
  return {
    kind: 'data',
    epoch,
    seq,
    crc: seq * 100 + epoch,
    prevCrc: (seq - 1) * 100 + epoch,
    blocks: 1,
    tailLsn: 384,
    nextId: seq * 10,
    relogged: 0,
    queueTimeMs: 0,
    entries: [],
    ...rest,
  };
}

function stretchOf(kind: StretchKind, frames: readonly Frame[]): { stretch: Stretch; answers: string[] } {
  const stretch = new Stretch(kind, { lsn: 384, seq: 1, nextId: 1 });
  return { stretch, answers: frames.map((one) => stretch.add(one)) };
}

const seqs = (stretch: Stretch) => stretch.frames.map(({ seq, epoch }) => `${seq}/${epoch}`);

describe('a stretch of the log', () => {
  test('takes frames that follow each other', () => {
    const { stretch, answers } = stretchOf('tip', [frame(1, { lsn: 384, blocks: 3 }), frame(2, { lsn: 387 })]);
    expect(answers).toEqual(['added', 'added']);
    expect([seqs(stretch), stretch.gaps, stretch.next]).toEqual([['1/1', '2/1'], [], { lsn: 388, seq: 3, nextId: 20 }]);
  });

  test.each<[string, Frame, boolean]>([
    ['the next one', frame(2, { lsn: 385 }), true],
    ['one of a later epoch that names its predecessor', frame(2, { lsn: 385, epoch: 3, prevCrc: 101 }), true],
    ['one of another place', frame(2, { lsn: 386 }), false],
    ['one of another number', frame(3, { lsn: 385, prevCrc: 101 }), false],
    ['one with another predecessor', frame(2, { lsn: 385, prevCrc: 7 }), false],
    ['one of an earlier epoch', frame(2, { lsn: 385, epoch: 0, prevCrc: 101 }), false],
  ])('knows what is next: %s', (_name, candidate, isNext) => {
    expect(stretchOf('tip', [frame(1, { lsn: 384 })]).stretch.isNext(candidate)).toBe(isNext);
  });

  test('notes what is missing, and which ids went with it', () => {
    const put = { kind: 'put', id: 45 } as Frame['entries'][number];
    const { stretch } = stretchOf('tip', [frame(1, { lsn: 384 }), frame(4, { lsn: 390, entries: [put] })]);
    expect(stretch.gaps).toEqual([{ lsn: 385, blocks: 5, framesLost: 2, idsLost: 29 }]);
  });

  test('misses nothing that a later OPEN frame says again', () => {
    const { stretch } = stretchOf('tip', [frame(1, { lsn: 384 }), frame(4, { lsn: 390, epoch: 3, kind: 'open', relogged: 2 })]);
    expect([seqs(stretch), stretch.gaps]).toEqual([['1/1', '4/3'], []]);
  });

  test('but does miss the one that it does not', () => {
    const { stretch } = stretchOf('tip', [frame(1, { lsn: 384 }), frame(4, { lsn: 390, epoch: 2, kind: 'open', relogged: 1 })]);
    expect(stretch.gaps).toMatchObject([{ framesLost: 2 }]);
  });

  test('drops what stands in the place of a frame that is said again', () => {
    // 2/1 was given up; the OPEN frame in its place reached only the cache, the one behind that one the medium.
    const open = frame(3, { lsn: 386, epoch: 3, kind: 'open', relogged: 1, prevCrc: 202 });
    const { stretch } = stretchOf('tip', [frame(1, { lsn: 384 }), frame(2, { lsn: 385, blocks: 3 }), open]);
    expect([seqs(stretch), stretch.gaps]).toEqual([['1/1', '3/3'], []]);
  });

  test('drops what a newer epoch denies, and says that something is missing', () => {
    const denied = frame(3, { lsn: 386, epoch: 2, prevCrc: 999 });
    const { stretch, answers } = stretchOf('tip', [frame(1, { lsn: 384 }), frame(2, { lsn: 385 }), denied]);
    expect(answers.at(-1)).toBe('added');
    expect([seqs(stretch), stretch.gaps]).toEqual([['1/1', '3/2'], [{ lsn: 385, blocks: 1, framesLost: 1, idsLost: 20 }]]);
  });

  test('ends before a frame of the same epoch that denies it', () => {
    const stranger = frame(3, { lsn: 386, prevCrc: 999 });
    const { stretch, answers } = stretchOf('tip', [frame(1, { lsn: 384 }), frame(2, { lsn: 385 }), stranger]);
    expect([answers.at(-1), seqs(stretch), stretch.gaps]).toEqual(['stranger', ['1/1', '2/1'], []]);
  });

  test('never gives up the anchor', () => {
    const stretch = new Stretch('tip', { lsn: 384, seq: 1, nextId: 1 });
    stretch.addAnchor(frame(1, { lsn: 384 }));
    expect(stretch.add(frame(2, { lsn: 385, epoch: 9, prevCrc: 999 }))).toBe('stranger');
    expect(stretch.add(frame(3, { lsn: 387, epoch: 9, kind: 'open', relogged: 2 }))).toBe('added');
    expect(seqs(stretch)).toEqual(['1/1', '3/9']);
  });

  test('before the anchor the later frame is always right', () => {
    const { stretch } = stretchOf('proven', [
      frame(1, { lsn: 384 }),
      frame(2, { lsn: 385, blocks: 4 }),
      frame(3, { lsn: 386, prevCrc: 999 }),
    ]);
    expect(seqs(stretch)).toEqual(['1/1', '3/1']);
  });

  test('whose beginning is missing begins where something is found', () => {
    const stretch = new Stretch('proven', { lsn: 384, seq: undefined, nextId: 0 });
    expect(stretch.add(frame(7, { lsn: 390 }))).toBe('added');
    expect(stretch.gaps).toEqual([{ lsn: 384, blocks: 6, framesLost: 1, idsLost: 0 }]);
  });

  test('whose beginning is missing says so, whatever a later OPEN frame says again', () => {
    const stretch = new Stretch('proven', { lsn: 384, seq: undefined, nextId: 0 });
    stretch.add(frame(7, { lsn: 388, kind: 'open', relogged: 2 }));
    expect(stretch.gaps).toEqual([{ lsn: 384, blocks: 4, framesLost: 1, idsLost: 0 }]);
  });
});
