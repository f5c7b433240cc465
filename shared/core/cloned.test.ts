/** A device put back to an old image, and a gateway replaced with an empty disk: nobody on the way can know. The destination does. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import type { CallResult } from './calls.ts';
import type { NodeConfig } from './node-io.ts';

const random = (name: string) => stream('cloned', name);

function config(name: string, uplink: NodeConfig['uplink']): NodeConfig {
  const queues = uplink === 'none' ? [{ name: 'bags', bytesLimit: 100_000 }] : [];
  const rest = { unknownQueue: 'refuse', queueBytesLimit: 100_000, central: 'central', isCentral: 'no' } as const;
  return { name, queues, uplink, ...rest, partitionCount: 1, commitDelayMs: 0, home: undefined };
}

async function asked(world: World, node: SimNode, call: Parameters<SimNode['call']>[0]): Promise<CallResult> {
  let answer: CallResult | undefined;
  node.call(call, (result) => {
    answer = result;
  });
  await world.run(world.nowMs + 60_000, () => answer !== undefined);
  if (answer === undefined) throw new Error(`${call.verb} was answered`);
  return answer;
}

test('a message whose number another one has is in $dead as CLONED, counted; the next number is received', async () => {
  const world = new World(random('scheduler'));
  const nodes = [config('device', 'link'), config('gateway', 'link'), config('central', 'none')].map(
    (one) => new SimNode({ world, config: one, random: random(one.name), syncMsMax: 2 }),
  );
  const [device, gateway, central] = nodes as [SimNode, SimNode, SimNode];
  for (const node of nodes) node.start();
  new SimLink({ world, random: random('line'), dials: device, accepts: gateway });
  new SimLink({ world, random: random('line'), dials: gateway, accepts: central });
  await world.run(world.nowMs + 2_000);
  const send = async (text: string) => {
    const call = { verb: 'send', destination: 'central/bags', body: toUtf8(text), properties: {} } as const;
    expect(await asked(world, device, call)).toMatchObject({ kind: 'sent' });
    await world.run(world.nowMs + 5_000);
  };
  const received = async (queue: string): Promise<string[]> => {
    const texts: string[] = [];
    for (;;) {
      const result = await asked(world, central, { verb: 'receive', queue, waitMs: 0, leaseMs: 60_000 });
      if (result.kind !== 'received') return texts;
      const { message, lease } = result.received;
      const endings = (message.history ?? []).map((one) => one.class).join();
      texts.push(`${fromUtf8(message.body)}${endings === '' ? '' : ` ${endings}`}`);
      await asked(world, central, { verb: 'ack', lease });
    }
  };

  const image = device.disk.platter();
  const { bytes } = device.disk;
  await send('number 1');
  expect(await received('bags')).toEqual(['number 1']);
  for (const node of [device, gateway]) node.powerCut();
  device.insert(new SimDisk({ bytes, random: random('image'), completion: 'stepped' }, image));
  gateway.insert(gateway.blankDisk());
  for (const node of [device, gateway]) node.start();
  await world.run(world.nowMs + 5_000);

  await send('number 1 again');
  await send('number 2');
  expect(await received('bags')).toEqual(['number 2']);
  expect(await received('$dead')).toEqual(['number 1 again CLONED']);
  expect(central.stats()?.accounts.map(({ class: ending, count }) => [ending, count])).toEqual([['CLONED', 1]]);
  const outgoing = [device, gateway].flatMap((node) => node.stats()?.outgoing ?? []);
  expect(outgoing.filter(({ stream }) => !stream.includes('/$node:')).map(({ held }) => held)).toEqual([0, 0]);
});
