/**
 * Who takes messages while the centre is not there, and is killed then: `measure` sends, and counts what was acknowledged. Started again
 * over the same folder it hands over what it has.
 */
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { connect, type IClientOptions, type IStore } from 'mqtt';
import { unreachable } from '../../../shared/assert.ts';
import type { Actor } from '../../ring/actors/actor.ts';
import type { EdgeJob, Look } from '../job.ts';
import { lookAt } from '../looks.ts';
import { DESTINATION, openRelayNode } from '../nodes.ts';
import { numberedBody } from '../stamped.ts';
import { TOPIC } from './publisher.ts';

type Send = (number: number) => Promise<void>;

const RING_BYTES = 8 * 1024 * 1024;
const AT_ONCE = 50;

export class EdgeActor implements Actor {
  readonly #job: EdgeJob;
  #send: Send = () => Promise.resolve();

  constructor(job: EdgeJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    this.#send = await senderOf(this.#job);
  }

  async measure(): Promise<Look> {
    let [next, acknowledged] = [1, 0];
    const one = async (): Promise<void> => {
      while (next <= this.#job.messages) {
        await this.#send(next++);
        acknowledged += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    return lookAt(acknowledged);
  }

  async end(): Promise<void> {}
}

async function senderOf({ subject, folder, brokerPort }: EdgeJob): Promise<Send> {
  switch (subject) {
    case 'ringmail': {
      const options = { name: 'gateway', folder, ringBytes: RING_BYTES, brokerPort, config: { uplink: 'mqtt' as const } };
      const node = await openRelayNode(options);
      return async (number) => {
        await node.call({ verb: 'send', destination: DESTINATION, body: numberedBody(number), properties: {} });
      };
    }
    case 'mqtt-client':
      return clientWith(brokerPort, {});
    case 'mqtt-client-level':
      return clientWith(brokerPort, levelStores(join(folder, 'level')));
    case 'mqtt-client-jsonl':
      return clientWith(brokerPort, await jsonlStores(join(folder, 'jsonl')));
    default:
      return unreachable(subject);
  }
}

type Stores = Pick<IClientOptions, 'incomingStore' | 'outgoingStore'>;

/** Acknowledged is what the client says that its store has. */
function clientWith(brokerPort: number, stores: Stores): Send {
  const client = connect(`mqtt://127.0.0.1:${brokerPort}`, {
    clientId: 'bench-edge',
    clean: false,
    reconnectPeriod: 200,
    ...stores,
  });
  client.on('error', () => {});
  return (number) =>
    new Promise((resolve) => {
      client.publish(TOPIC, Buffer.from(numberedBody(number)), { qos: 1, cbStorePut: () => resolve() });
    });
}

function levelStores(path: string): Stores {
  const { incoming, outgoing } = (rival('mqtt-level-store') as (path: string) => { incoming: IStore; outgoing: IStore })(path);
  return { incomingStore: incoming, outgoingStore: outgoing } as Stores;
}

async function jsonlStores(path: string): Promise<Stores> {
  interface Manager {
    readonly incoming: IStore;
    readonly outgoing: IStore;
    open(): Promise<void>;
  }
  const { Manager } = rival('mqtt-jsonl-store') as { Manager: new (path: string) => Manager };
  mkdirSync(path, { recursive: true });
  // Killed, it leaves a lock behind that is in the way of its successor for a while.
  const manager = await untilItOpens(async () => {
    const opened = new Manager(path);
    await opened.open();
    return opened;
  });
  return { incomingStore: manager.incoming, outgoingStore: manager.outgoing } as Stores;
}

async function untilItOpens<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (attempt === OPEN_ATTEMPTS_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, OPEN_AGAIN_MS));
    }
  }
}

const OPEN_ATTEMPTS_MAX = 30;
const OPEN_AGAIN_MS = 1_000;

function rival(name: string): unknown {
  return createRequire(process.env.RINGMAIL_BENCH_ROOT ?? import.meta.url)(name);
}
