/**
 * Goal: whatever broker, power and time do, everything accepted is at the centre, or at the gateway below it, once and in order. Method: two whole stores on
 * simulated disks with a broker between them that forgets, repeats, reorders across connections and dies; power cuts on both
 * sides at seeded moments; then quiet, and the two lists must agree.
 */
import { describe, expect, inject, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { type BrokerFaults, SimBroker } from '../../hardware-sim/sim-broker.ts';
import { identitiesOf, type StoredMessage, TestNode, type TestNodeOptions, TestTime } from '../../hardware-sim/test-node.ts';
import { NO_BYTES, toHex } from '../bytes.ts';
import { identityText, streamText } from '../message/identity.ts';

interface Weather extends Partial<BrokerFaults> {
  /** Chance per virtual second of each. */
  readonly cuts?: number;
  readonly restarts?: number;
  readonly kills?: number;
  /** What the receiver has less of than usual. */
  readonly taker?: Partial<TestNodeOptions>;
  /** Longest body, in bytes. */
  readonly bodyBytesMax?: number;
}

const STORM_MS = 10_000;
/** The longest silence between two attempts is PROGRESS_MS_MAX. */
const QUIET_MS = 1_200_000;

type Direction = 'up' | 'down';

function play(seed: number, weather: Weather, direction: Direction) {
  const time = new TestTime(stream(seed, 'time'));
  const random = stream(seed, 'weather');
  const { cuts = 0, restarts = 0, kills = 0, bodyBytesMax = 400 } = weather;
  const broker = new SimBroker({ scheduler: time, random: stream(seed, 'broker'), faults: weather });
  const common = { time, broker, central: 'central' };
  const [giverName, takerName] = direction === 'up' ? ['gateway', 'central'] : ['central', 'gateway'];
  const giver = new TestNode({ ...common, name: giverName, random: stream(seed, giverName) });
  const taker = new TestNode({ ...common, name: takerName, random: stream(seed, takerName), ...weather.taker });
  giver.open();
  taker.open();
  if (direction === 'down') time.run(1000, () => giver.isServing);
  if (direction === 'down') giver.meet(takerName);
  const every = (ms: number, act: () => void, untilMs = STORM_MS) => {
    const again = () => {
      if (time.nowMs >= untilMs) return;
      act();
      time.after(random.next() * 2 * ms, again);
    };
    time.after(random.next() * ms, again);
  };
  let sent = 0;
  every(60, () => {
    const body = Uint8Array.of(sent & 255, sent >> 8, ...random.bytes(random.int(bodyBytesMax)));
    for (let burst = random.int(6); burst >= 0; burst--)
      if (giver.send(`${takerName}/bags`, body, random.pick([0, 3, 7]))) sent += 1;
  });
  every(1000, () => random.chance(cuts) && broker.cut(random.pick(['gateway', 'central'])));
  every(1000, () => random.chance(restarts) && broker.restart(random.int(3000)));
  every(1000, () => {
    if (!random.chance(kills)) return;
    const victim = random.pick([giver, taker]);
    if (!victim.isServing) return;
    victim.kill();
    time.after(random.int(2000), () => victim.open());
  });
  const consume = () => taker.isServing && taker.consume('bags', random.int(20));
  if (weather.taker !== undefined) every(100, consume, QUIET_MS);
  time.run(STORM_MS + 5000);
  Object.assign(broker.faults, { forget: 0, duplicate: 0 });
  time.run(QUIET_MS, () => giver.isServing && taker.isServing && giver.outgoingCount === 0);
  taker.consume('bags', sent);
  return { giver, taker, broker };
}

function perStream(messages: readonly StoredMessage[]): Map<string, number[]> {
  const numbers = new Map<string, number[]>();
  for (const { identity } of messages) {
    const key = streamText(identity);
    const known = numbers.get(key);
    if (known === undefined) numbers.set(key, [identity.number]);
    else known.push(identity.number);
  }
  return numbers;
}

function expectKept({ giver, taker }: ReturnType<typeof play>): void {
  const arrived = taker.received;
  expect(identitiesOf(taker.duplicates)).toEqual([]);
  expect(taker.contents('bags')).toEqual([]);
  expect(giver.outgoingCount).toBe(0);
  for (const sender of giver.senders) expect([sender.state === 'forked', sender.rolledBackCount]).toEqual([false, 0]);
  expect([...giver.parts.store.accounts(), ...taker.parts.store.accounts()]).toEqual([]);
  const identities = identitiesOf(arrived);
  expect(new Set(identities).size, 'nothing twice').toBe(identities.length);
  const bodies = new Map(identities.map((text, at) => [text, toHex(arrived[at]?.body ?? NO_BYTES)]));
  const lost = giver.accepted.filter(({ identity, body }) => bodies.get(identityText(identity)) !== toHex(body));
  expect(identitiesOf(lost), 'accepted, and not here as it was').toEqual([]);
  for (const [key, numbers] of perStream(arrived)) {
    expect(numbers, `${key} in order, without a hole`).toEqual(numbers.map((_, at) => at + 1));
  }
}

const ALL: Weather = {
  forget: 0.03,
  duplicate: 0.05,
  cuts: 0.2,
  straggle: 0.5,
  restarts: 0.1,
  kills: 0.3,
  delayMsMax: 50,
};

const SCARCE: Partial<TestNodeOptions> = {
  queues: [{ name: 'bags', bytesLimit: 30_000 }],
  pendingBytesMax: 8_000,
  syncMsMax: 40,
};

describe.each<[string, Weather, number]>([
  ['a quiet broker', {}, 2],
  ['a broker that forgets what it acknowledged', { forget: 0.1 }, 5],
  ['duplicates', { duplicate: 0.3 }, 5],
  ['connections that break, with stragglers', { cuts: 0.5, straggle: 0.5 }, 5],
  ['a broker that dies', { restarts: 0.3 }, 5],
  ['power cuts on either side', { kills: 0.5 }, 10],
  ['a slow disk and little room at the centre', { taker: SCARCE, bodyBytesMax: 3000 }, 3],
  ['little room, and everything at once', { ...ALL, taker: SCARCE, bodyBytesMax: 1500 }, 6],
  ['everything at once', ALL, 12],
])('%s', (_name, weather, seeds) => {
  const count = inject('sweep') === 'whole' ? seeds : Math.ceil(seeds / 3);
  test.each(Array.from({ length: count }, (_, seed) => seed))('seed %i: nothing lost, nothing twice, in order', (seed) => {
    expectKept(play(seed, weather, 'up'));
  });

  test.each(Array.from({ length: Math.ceil(count / 2) }, (_, seed) => seed))('downwards, seed %i: the same', (seed) => {
    const { giver, taker, broker } = play(seed, weather, 'down');
    expectKept({ giver, taker, broker });
    expect(taker.received.length).toBeGreaterThan(100);
  });
});
