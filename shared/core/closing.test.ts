/** A node that is closed in the midst of something: whatever its neighbours say meanwhile, it closes clean, and answers every call. */
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import type { CallResult } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

type Carrier = 'link' | 'mqtt';

/** A device with a backlog and its neighbour, which both just began to serve: the handshake is still to come. */
class Pair {
  readonly world: World;
  readonly device: SimNode;
  readonly central: SimNode;
  readonly #name: string;
  readonly #carrier: Carrier;

  constructor(name: string, carrier: Carrier) {
    this.#name = name;
    this.#carrier = carrier;
    this.world = new World(this.#random('scheduler'), 'when-due');
    const broker = new SimBroker({ scheduler: this.world, random: this.#random('broker') });
    this.device = this.#node(broker, { name: 'device', uplink: carrier });
    this.central = this.#node(broker, { name: 'central', uplink: 'none', isCentral: carrier === 'mqtt' ? 'yes' : 'no' });
  }

  async start(): Promise<void> {
    const { world, device, central } = this;
    device.start();
    await world.run(world.nowMs + 1_000, () => device.isServing);
    for (const text of ['a', 'b', 'c']) await this.ask(device, sending(text));
    central.start();
    if (this.#carrier === 'mqtt') return;
    await world.run(world.nowMs + 1_000, () => central.isServing);
    new SimLink({ world, random: this.#random('line'), dials: device, accepts: central });
  }

  async ask(node: SimNode, call: Parameters<SimNode['call']>[0]): Promise<CallResult | undefined> {
    let answer: CallResult | undefined;
    node.call(call, (result) => {
      answer = result;
    });
    await this.world.run(this.world.nowMs + 2_000, () => answer !== undefined);
    return answer;
  }

  /** So many events on: somewhere between two words of the handshake, or between two writes of it. */
  async steps(count: number): Promise<void> {
    const until = this.world.steps + count;
    await this.world.run(this.world.nowMs + 60_000, () => this.world.steps >= until);
  }

  async closed(node: SimNode): Promise<void> {
    await this.world.run(this.world.nowMs + 5_000, () => !node.isUp);
  }

  /** What arrived at the central, each as often as it did. */
  async received(): Promise<string[]> {
    const texts: string[] = [];
    for (;;) {
      const got = await this.ask(this.central, { verb: 'receive', queue: 'bags', waitMs: 1_000, leaseMs: 60_000 });
      if (got?.kind !== 'received') return texts;
      texts.push(fromUtf8(got.received.message.body) ?? '?');
      await this.ask(this.central, { verb: 'ack', lease: got.received.lease });
    }
  }

  #node(broker: SimBroker, how: Pick<NodeConfig, 'name' | 'uplink'> & Partial<NodeConfig>): SimNode {
    const config: NodeConfig = {
      queues: how.uplink === 'none' ? [{ name: 'bags', bytesLimit: 100_000 }] : [],
      unknownQueue: 'refuse',
      queueBytesLimit: 100_000,
      central: 'central',
      isCentral: 'no',
      partitionCount: 1,
      commitDelayMs: 0,
      home: undefined,
      ...how,
    };
    const { world } = this;
    const connectBroker = () => broker.connect(config.name);
    const isOnBroker = this.#carrier === 'mqtt';
    return new SimNode({ world, config, random: this.#random(how.name), syncMsMax: 20, ...(isOnBroker && { connectBroker }) });
  }

  #random(name: string) {
    return stream(`closing ${this.#name}`, name);
  }
}

function sending(text: string) {
  return { verb: 'send' as const, destination: 'central/bags', body: toUtf8(text), properties: {} };
}

describe.each<[Carrier, number]>([
  ['link', 60],
  ['mqtt', 60],
])('over %s', (carrier, stepCount) => {
  test.each<['device' | 'central']>([['device'], ['central']])(
    'the %s, closed after any step of the handshake, closes clean, and nothing is lost or comes twice',
    async (closes) => {
      for (let count = 0; count < stepCount; count++) {
        const pair = new Pair(`${carrier} ${closes} ${count}`, carrier);
        await pair.start();
        await pair.steps(count);
        const node = pair[closes];
        node.close();
        await pair.closed(node);
        expect([node.isUp, node.stops], `after ${count} steps`).toEqual([false, []]);
        node.start();
        expect(await pair.received(), `after ${count} steps`).toEqual(['a', 'b', 'c']);
      }
    },
  );
});

describe('calls', () => {
  test('after close are answered NODE_STOPPED, while the last words are still being written', async () => {
    const pair = new Pair('calls', 'link');
    await pair.start();
    const { device } = pair;
    device.close();
    expect(device.isUp).toBe(true);
    expect(await pair.ask(device, sending('late'))).toMatchObject({ kind: 'error', error: { code: 'NODE_STOPPED' } });
    await pair.closed(device);
    device.start();
    expect(await pair.received()).toEqual(['a', 'b', 'c']);
  });

  test.each([1, 2, 3])(
    'a write that fails as number %i of a close ends it all the same, and nothing is opened anew',
    async (number) => {
      const pair = new Pair(`failing ${number}`, 'link');
      await pair.start();
      const { device } = pair;
      device.close();
      device.disk.failWriteNumber(number);
      await pair.closed(device);
      await pair.world.run(pair.world.nowMs + 10_000);
      expect([device.isUp, device.stops]).toEqual([false, []]);
      device.start();
      expect(await pair.received()).toEqual(['a', 'b', 'c']);
    },
  );
});
