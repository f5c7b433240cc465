/** That each strike does harm, and that its end ends it. What each does exactly: sim-line.test.ts, sim-broker-hostile.test.ts. */
import { describe, expect, test } from 'vitest';
import { toUtf8 } from '../../shared/bytes.ts';
import { brokerBench, retain, say } from '../broker-bench.ts';
import { NO_LINE_FAULTS } from '../line-faults.ts';
import { Clock } from '../link-world.ts';
import { type Prng, stream } from '../random.ts';
import { simLines } from '../sim-line.ts';
import { BROKER_FAULTS, type BrokerTarget, type EndStrike, LINE_FAULTS } from './medium-faults.ts';

const SENT = Uint8Array.from({ length: 30_000 }, (_, i) => (i * 7) & 0xff);

/** Three times 30,000 bytes each way at 921,600 bit/s: before, during and after a strike. What either end heard, and when. */
function playLine(strike: (target: ReturnType<typeof simLines>) => EndStrike) {
  const clock = new Clock();
  const pair = simLines({ world: clock, random: stream(1, 'line'), baud: 921_600 });
  let heard: string[] = [];
  const listen = (name: string) => ({
    onBytes: (bytes: Uint8Array) => void heard.push(`${clock.nowMs} ${name} ${bytes.join()}`),
    onClosed: (reason: string) => void heard.push(`${name} ${reason}`),
  });
  pair.a.listen(listen('a'));
  pair.b.listen(listen('b'));
  const talk = (): string[] => {
    heard = [];
    pair.a.write(SENT);
    pair.b.write(SENT);
    clock.run(clock.nowMs + 5_000);
    return heard;
  };
  const before = talk();
  const end = strike(pair);
  const during = talk();
  const { isClosed } = pair;
  end();
  end();
  clock.run(clock.nowMs + 5_000);
  return { before, during, after: talk(), isClosed, faults: pair.faults };
}

describe('line', () => {
  const calm = playLine(() => () => {});

  test.each(LINE_FAULTS.map((fault) => [fault.name, fault] as const))('%s does harm, and ends', (_name, { strike }) => {
    const played = [1, 2, 3].map((seed) => playLine((pair) => strike(pair, stream(seed, 'faults'))));
    expect(played.some(({ during }) => during.join() !== calm.during.join())).toBe(true);
    for (const { after, isClosed, faults } of played) {
      expect(faults).toEqual({ aToB: NO_LINE_FAULTS, bToA: NO_LINE_FAULTS });
      const bytesHeard = after.map((line) => line.split(' ').slice(1).join(' '));
      const bytesCalm = calm.after.map((line) => line.split(' ').slice(1).join(' '));
      expect(bytesHeard).toEqual(isClosed ? [] : bytesCalm);
    }
  });

  test('only a cut closes', () => {
    const closing = LINE_FAULTS.filter(({ strike }) => playLine((pair) => strike(pair, stream(1, 'faults'))).isClosed);
    expect(closing.map(({ name }) => name)).toEqual(['line cut']);
  });
});

/** Two clients talk and one of them keeps changing what is retained: what they heard during a strike, and whether they hear after it. */
function playBroker(strike: (target: BrokerTarget) => EndStrike) {
  const { time, broker, client } = brokerBench({ delayMsMax: 20 });
  const a = client('a');
  const b = client('b');
  a.broker.subscribe(['news']);
  const { faults } = broker;
  const usual = { ...faults };
  const talk = (): void => {
    for (let i = 0; i < 60; i++) {
      say(a, 'b', `${i}`);
      say(b, 'a', `${i} ${'long'.repeat(30)}`);
      if (i % 10 === 0) retain(b, 'a', `retained ${i}`);
      time.run(25);
    }
  };
  talk();
  const [fromA, fromB] = [a.heard.length, b.heard.length];
  const end = strike({ broker, clients: ['a', 'b'] });
  talk();
  const soon = [a.heard.length, b.heard.length];
  time.run(40_000);
  const during = [soon, ...a.heard.slice(fromA), '|', ...b.heard.slice(fromB)];
  end();
  end();
  time.run(60_000);
  say(a, 'b', 'after');
  say(b, 'a', 'after');
  time.run(100);
  return { during: during.join(), after: [a.heard.at(-1), b.heard.at(-1)], faults, usual };
}

describe('broker', () => {
  const calm = playBroker(() => () => {});

  test.each(BROKER_FAULTS.map((fault) => [fault.name, fault] as const))('%s does harm, and ends', (_name, { strike }) => {
    const played = [1, 2, 3].map((seed) => playBroker((target) => strike(target, stream(seed, 'faults'))));
    expect(played.some(({ during }) => during !== calm.during)).toBe(true);
    for (const { after, faults, usual } of played) {
      expect(faults).toEqual(usual);
      expect(after).toEqual(['after', 'after']);
    }
  });
});

test.each(BROKER_FAULTS.filter(({ suits }) => suits === 'any broker').map((fault) => [fault.name, fault] as const))(
  '%s needs of a broker no more than every one has',
  (_name, { strike }) => {
    const poor = ({ broker, clients }: BrokerTarget): BrokerTarget => {
      const { faults } = broker;
      return { clients, broker: { faults, cut: (name) => broker.cut(name), restart: (downMs) => broker.restart(downMs) } };
    };
    const calm = playBroker(() => () => {});
    const played = [1, 2, 3].map((seed) => playBroker((target) => strike(poor(target), stream(seed, 'faults'))));
    expect(played.some(({ during }) => during !== calm.during)).toBe(true);
  },
);

test('names are told apart, and strengths are drawn', () => {
  const names = [...LINE_FAULTS, ...BROKER_FAULTS].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const strengths = (random: Prng): number => {
    const pair = simLines({ world: new Clock(), random, baud: 9_600 });
    LINE_FAULTS.find(({ name }) => name === 'line noise')?.strike(pair, random);
    return pair.faults.aToB.flipRate + pair.faults.bToA.flipRate;
  };
  const drawn = Array.from({ length: 30 }, (_, seed) => strengths(stream(seed, 'faults')));
  expect(new Set(drawn).size).toBeGreaterThan(3);
});

test('a banner is heard as it is written, zeros and all', () => {
  const clock = new Clock();
  const pair = simLines({ world: clock, random: stream(1, 'line'), baud: 9_600 });
  const heard: number[] = [];
  for (const line of [pair.a, pair.b]) line.listen({ onBytes: (bytes) => void heard.push(...bytes), onClosed: () => {} });
  pair.say('both', toUtf8('\0ready'));
  clock.run(100);
  expect(heard).toEqual([...toUtf8('\0ready'), ...toUtf8('\0ready')]);
});
