/** The engine finds what is planted, and every target holds for its first inputs. `npm run fuzz` goes on. */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../shared/bytes.ts';
import { RingmailError } from '../../shared/errors.ts';
import { type FuzzTarget, fuzz, Judge, promise } from './engine.ts';
import { REGRESSIONS, TARGETS } from './fuzz.ts';

/** Executions. */
const OF_EACH = { decoder: 300, world: 3 };
const WORLDS: ReadonlySet<string> = new Set(['ring', 'meta', 'session', 'strangers']);

/** A clock that only the target moves. */
let us = 0;
const clock = () => us;

function toy(run: (input: Uint8Array) => string, more: Partial<FuzzTarget> = {}): FuzzTarget {
  return { name: 'toy', what: 'a toy', bytesMax: 64, seeds: () => [new Uint8Array(8)], run, ...more };
}

function findings(target: FuzzTarget, executionsMax = 20_000): { what: string; input: number[] }[] {
  const report = fuzz(target, { seed: 'test', executionsMax, nowUs: clock, cpuUs: clock });
  return report.findings.map(({ what, input }) => ({ what, input: [...input] }));
}

describe('the engine finds', () => {
  test('what throws, and makes its input small', () => {
    const [found] = findings(
      toy((input) => {
        if (input.length > 3 && input[2] === 7) throw new TypeError('no');
        return String(input.length);
      }),
    );
    expect(found?.what).toMatch(/^TypeError: no at /);
    expect(found?.input).toEqual([0, 0, 7, 0]);
  });

  test('what lies behind what lies behind something, by going on from what is new', () => {
    const word = [0x52, 0x4d, 0x4c, 0x31];
    const target = toy((input) => {
      const count = word.findIndex((byte, at) => input[at] !== byte);
      promise(count !== -1, 'the word is said');
      return `${count}`;
    });
    expect(findings(target, 200_000)).toEqual([{ what: 'the word is said', input: word }]);
  });

  test('what is slow, says something else the second time, or changes a prototype', () => {
    const slow = toy((input) => {
      us += input.length > 20 ? 300_000 : 1;
      return '';
    });
    expect(findings(slow).map(({ what }) => what)).toEqual(['it takes too long']);
    let runs = 0;
    expect(findings(toy(() => `${runs++}`))[0]?.what).toMatch(/^another outcome the second time/);
    const poisoned = toy((input) => {
      if (input.length > 12) Object.defineProperty(Object.prototype, 'evil', { value: 1, configurable: true });
      return '';
    });
    const found = findings(poisoned);
    Reflect.deleteProperty(Object.prototype, 'evil');
    expect(found.map(({ what }) => what)).toEqual(['a prototype was changed']);
  });

  test('nothing in what refuses by a coded error', () => {
    const refusing = toy(() => {
      throw new RingmailError('CBOR_INVALID', { offset: 0, reason: 'trailing' });
    });
    expect(findings(refusing, 500)).toEqual([]);
  });

  test('the same of the same seed', () => {
    const told = (): string[] => {
      const inputs: string[] = [];
      findings(
        toy((input) => {
          inputs.push(input.join());
          return `${input.length}`;
        }),
        300,
      );
      return inputs;
    };
    expect(told()).toEqual(told());
  });
});

test.each(TARGETS.map((target) => [target.name, target] as const))('%s: its first inputs break nothing', (name, target) => {
  const executionsMax = WORLDS.has(name) ? OF_EACH.world : OF_EACH.decoder;
  const report = fuzz(target, { seed: 'test', executionsMax, nowUs: clock, cpuUs: clock });
  expect(report.findings.map(({ what, input }) => `${what}: ${Buffer.from(input).toString('hex')}`)).toEqual([]);
  expect(report.executions).toBe(executionsMax);
  expect(report.behaviours).toBeGreaterThan(0);
});

test('what once broke one breaks it no more', () => {
  for (const { target: name, hex, found } of REGRESSIONS) {
    const target = TARGETS.find((one) => one.name === name);
    if (target === undefined) throw new Error(`no target ${name}`);
    expect(new Judge(target, clock).of(fromHex(hex) ?? new Uint8Array(0), 'twice').broken, found).toBeUndefined();
  }
});
