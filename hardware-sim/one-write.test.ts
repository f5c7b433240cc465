/** One durable write per telegram, exactly: in virtual time nothing else happens on the box between two telegrams. */
import { expect, test } from 'vitest';
import { BeltAdapter } from '../device/adapters/belt.ts';
import { priorityOf } from '../device/adapters/rp1745.ts';
import { encodeAck, encodeTelegram } from '../device/adapters/stx-etx.ts';
import { toUtf8 } from '../shared/bytes.ts';
import type { Call, CallResult } from '../shared/core/calls.ts';
import { crc32 } from '../shared/crc32.ts';
import { telegramSource } from './hall/telegrams.ts';
import { stream } from './random.ts';
import { SimNode } from './sim-node.ts';
import { World } from './world.ts';

const TELEGRAM_COUNT = 200;
const BELT = 'belt-1';

/** A device with an MQTT uplink and no broker yet: it stores, and nothing is freed. */
class Box {
  readonly world = new World(stream('one write', 'world'));
  readonly node = new SimNode({
    world: this.world,
    config: {
      name: 'node',
      queues: [],
      unknownQueue: 'refuse',
      queueBytesLimit: 1_000_000,
      uplink: 'mqtt',
      central: 'central',
      isCentral: 'no',
      partitionCount: 1,
      commitDelayMs: 0,
      home: undefined,
    },
    random: stream('one write', 'node'),
    syncMsMax: 5,
    ringBytes: 4_096 * 4_096,
  });

  /** The frames of the opening are written when this is done. */
  async start(): Promise<void> {
    this.node.start();
    await this.world.run(this.world.nowMs + 10_000);
  }

  async call(call: Call): Promise<CallResult> {
    let result: CallResult | undefined;
    this.node.call(call, (answer) => {
      result = answer;
    });
    await this.world.run(this.world.nowMs + 10_000, () => result !== undefined);
    if (result === undefined) throw new Error('no answer');
    return result;
  }

  /** One telegram from the line to its reply, as the belt role does it. Gives what the belt hears. */
  async tell(adapter: BeltAdapter, bytes: Uint8Array): Promise<Uint8Array[]> {
    const replies: Uint8Array[] = [];
    const outputs = adapter.bytes(bytes);
    for (let output = outputs.shift(); output !== undefined; output = outputs.shift()) {
      if (output.kind === 'reply') {
        replies.push(output.bytes);
        continue;
      }
      const { reading, telegram, position, token } = output;
      const result = await this.call({
        verb: 'send',
        destination: 'central/bags',
        body: telegram,
        properties: { label: BELT, ...(reading.ok && { priority: priorityOf(reading) }) },
        position: { name: BELT, value: position },
        ...(!reading.ok && { dead: { class: 'BAD_TELEGRAM' as const, node: 'node', reason: reading.reason } }),
      });
      expect(result.kind).toBe('sent');
      outputs.push(...adapter.stored(token));
    }
    return replies;
  }

  /** Of this opening. */
  get written(): { frames: number; messages: number } {
    const { framesWritten = Number.NaN, messagesStored = Number.NaN } = this.node.stats()?.ring ?? {};
    return { frames: framesWritten, messages: messagesStored };
  }
}

const newAdapter = (position?: Uint8Array): BeltAdapter => new BeltAdapter({ crc32: (bytes) => crc32(bytes, 0), position });

function telegrams(name: string): () => Uint8Array {
  const random = stream('one write', name);
  return telegramSource({ belt: 0, next: () => random.next(), malformedRate: 0.1 });
}

test(`${TELEGRAM_COUNT} telegrams, one after the other, are ${TELEGRAM_COUNT} frames: message and position in each`, async () => {
  const box = new Box();
  await box.start();
  const next = telegrams('told');
  const adapter = newAdapter();
  const before = box.written;
  for (let i = 1; i <= TELEGRAM_COUNT; i++) {
    expect(await box.tell(adapter, encodeTelegram(i, next()))).toEqual([encodeAck(i)]);
    expect(box.written).toEqual({ frames: before.frames + i, messages: before.messages + i });
  }
  expect(adapter.counters).toMatchObject({ telegrams: TELEGRAM_COUNT, unanswered: 0, dropped: 0 });
  expect(adapter.counters.invalid).toBeGreaterThan(0);
});

test('nothing is written afterwards for a telegram that was answered, and nothing for one told again', async () => {
  const box = new Box();
  await box.start();
  const adapter = newAdapter();
  const telegram = encodeTelegram(1, toUtf8('no telegram that anybody knows'));
  await box.tell(adapter, telegram);
  const { written } = box;
  expect(await box.tell(adapter, telegram)).toEqual([encodeAck(1)]);
  await box.world.run(box.world.nowMs + 60_000);
  expect(box.written).toEqual(written);
});

test('the position survives in the frame of its message: after a power cut a repeat is answered and not stored', async () => {
  const box = new Box();
  await box.start();
  const next = telegrams('power cut');
  const telegram = encodeTelegram(7, next());
  await box.tell(newAdapter(), telegram);
  box.node.powerCut();
  await box.start();
  const position = await box.call({ verb: 'position', name: BELT });
  const { written } = box;
  expect(await box.tell(newAdapter(position.kind === 'position' ? position.value : undefined), telegram)).toEqual([encodeAck(7)]);
  expect(box.written).toEqual(written);
});
