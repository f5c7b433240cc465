/** For tests of the simulated broker: clients, and what they hear. */
import { toUtf8 } from '../shared/bytes.ts';
import type { Broker } from '../shared/ports.ts';
import { stream } from './random.ts';
import { type BrokerFaults, SimBroker } from './sim-broker.ts';
import { TestTime } from './test-node.ts';

export interface Hearing {
  readonly broker: Broker;
  readonly heard: string[];
}

/** A broker in virtual time, and clients that write down what they hear; each subscribes to `to/<its name>`. */
export function brokerBench(faults: Partial<BrokerFaults>, seed = 1) {
  const time = new TestTime(stream(seed, 'time'));
  const random = stream(seed, 'broker');
  const broker = new SimBroker({ scheduler: time, random, faults });
  const client = (name: string): Hearing => {
    const made = { broker: broker.connect(name), heard: [] as string[] };
    made.broker.listen({
      onUp: () => {
        made.heard.push('up');
        made.broker.subscribe([`to/${name}`]);
      },
      onDown: () => made.heard.push('down'),
      onMessage: (_topic, payload) => made.heard.push(Buffer.from(payload).toString()),
    });
    time.run(100);
    return made;
  };
  return { time, broker, client, random };
}

/** Transient, to whom it names. */
export function say(from: Hearing, to: string, text: string): void {
  from.broker.publish({ topic: `to/${to}`, payload: toUtf8(text), qos: 1, retain: 'transient' });
}

export function retain(from: Hearing, to: string, text: string): void {
  from.broker.publish({ topic: `to/${to}`, payload: toUtf8(text), qos: 1, retain: 'retain' });
}
