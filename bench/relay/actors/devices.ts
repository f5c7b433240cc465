/** Devices, all in one process: rings that are full of messages when the line comes, and, where asked, messages of now. */
import { setMaxListeners } from 'node:events';
import { runUplink } from '../../../device/uplink-role.ts';
import type { Node } from '../../../shared/node/node.ts';
import type { Actor } from '../../ring/actors/actor.ts';
import type { DevicesJob, Look } from '../job.ts';
import { lookAt } from '../looks.ts';
import { DESTINATION, heldBy, LIVE_QUEUE, openRelayNode } from '../nodes.ts';
import { atRate, stampedBody } from '../stamped.ts';

const RING_BYTES_MIN = 4 * 1024 * 1024;
/** Beside its body: envelope and entry; and of a ring a good third may live. */
const MESSAGE_BYTES = 224;
const LIVE_SHARE = 0.36;
const SENDS_AT_ONCE = 512;

export class DevicesActor implements Actor {
  readonly #job: DevicesJob;
  readonly #stop = new AbortController();
  #nodes: Node[] = [];
  #uplinks: Promise<void>[] = [];
  #state: 'filled' | 'dialled' | 'sending' = 'filled';
  #stopSending = () => {};

  constructor(job: DevicesJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    const { devices, messagesEach, bodyBytes, folder, name } = this.#job;
    setMaxListeners(devices, this.#stop.signal);
    const neededBytes = (messagesEach * (bodyBytes + MESSAGE_BYTES)) / LIVE_SHARE;
    const ringBytes = Math.max(RING_BYTES_MIN, Math.ceil(neededBytes));
    for (let i = 0; i < devices; i++) {
      const node = await openRelayNode({ name: `${name}-${i}`, folder, ringBytes, config: { uplink: 'link' } });
      this.#nodes.push(node);
      await fill(node, messagesEach, bodyBytes);
    }
  }

  /** First dials; then, at the next time, begins with what is live. */
  async measure(): Promise<Look> {
    if (this.#state === 'filled') {
      this.#state = 'dialled';
      const line = { kind: 'unix' as const, path: this.#job.socketPath };
      this.#uplinks = this.#nodes.map((node) => runUplink(node, { line, log: () => {} }, this.#stop.signal));
    } else if (this.#state === 'dialled') {
      this.#state = 'sending';
      let next = 0;
      this.#stopSending = atRate(this.#job.livePerSecond, () => {
        const body = stampedBody(this.#job.bodyBytes);
        const destination = `central/${this.#job.liveQueue ?? LIVE_QUEUE}`;
        void this.#nodes[next++ % this.#nodes.length]?.call({ verb: 'send', destination, body, properties: {} });
      });
    }
    return lookAt(this.#nodes.reduce((sum, node) => sum + heldBy(node), 0));
  }

  async end(): Promise<void> {
    this.#stopSending();
    this.#stop.abort();
    await Promise.all(this.#uplinks);
    for (const node of this.#nodes) await node.close();
  }
}

async function fill(node: Node, messages: number, bodyBytes: number): Promise<void> {
  let left = messages;
  const send = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await node.call({ verb: 'send', destination: DESTINATION, body: new Uint8Array(bodyBytes), properties: {} });
    }
  };
  await Promise.all(Array.from({ length: SENDS_AT_ONCE }, send));
}
