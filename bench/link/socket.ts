/**
 * Messages over a Unix socket between two processes, each with a whole node over a ring file: the sender's is filled beforehand, then
 * they are joined. Asked is what a message costs the receiver, from the socket to its ring: all processor time of that process, over
 * the messages that became durable meanwhile. What it can do on one core is the inverse, however busy the machine is.
 */
import { join } from 'node:path';
import { runUplink } from '../../device/uplink-role.ts';
import { runLink } from '../../gateway/link-role.ts';
import type { Node } from '../../shared/node/node.ts';
import { openBenchNode, pause, readyCount } from './nodes.ts';

export interface SocketJob {
  readonly folder: string;
  readonly bodyBytes: number;
  readonly messages: number;
}

export interface SocketResult {
  /** By the clock on the wall. */
  readonly messagesPerSecond: number;
  readonly cpuUsPerMessage: number;
}

interface Look {
  readonly count: number;
  readonly atMs: number;
  /** User and system, all threads. */
  readonly cpuUs: number;
}

const RING_BYTES_PER_MESSAGE = 640;
const RING_BYTES_MIN = 8 * 1024 * 1024;
/** Sends on their way to the disk at once. */
const SENDS_AT_ONCE = 512;
/** Looking takes processor time of what is measured: a twentieth of it when this was 20. */
const LOOK_MS = 100;
const LOOKS_IN_VAIN_MAX = 300;
/** The code is compiled, and the caches are warm. */
const WARM_SHARE = 0.2;
const DONE_SHARE = 0.98;

/** One end. Each lives in a process of its own. */
export class SocketEnd {
  readonly #job: SocketJob;
  readonly #node: Node;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(job: SocketJob, node: Node) {
    this.#job = job;
    this.#node = node;
  }

  static async open(job: SocketJob, role: 'sends' | 'receives'): Promise<SocketEnd> {
    const { folder, messages } = job;
    const ringBytes = Math.max(RING_BYTES_MIN, RING_BYTES_PER_MESSAGE * messages);
    const names =
      role === 'sends' ? ({ name: 'device', uplink: 'link' } as const) : ({ name: 'gateway', uplink: 'none' } as const);
    return new SocketEnd(job, await openBenchNode({ folder, ringBytes, ...names }));
  }

  /** Stores what will be sent. */
  async fill(): Promise<void> {
    const { bodyBytes, messages } = this.#job;
    let left = messages;
    const send = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const body = new Uint8Array(bodyBytes).fill(1 + (left % 255));
        await this.#node.call({ verb: 'send', destination: 'gateway/bags', body, properties: {} });
      }
    };
    await Promise.all(Array.from({ length: SENDS_AT_ONCE }, send));
  }

  listen(): void {
    this.#running = runLink(this.#node, { listen: this.#address, log: () => {} }, this.#stop.signal);
  }

  dial(): void {
    this.#running = runUplink(this.#node, { line: this.#address, log: () => {} }, this.#stop.signal);
  }

  /** Looks on until everything is there. */
  async measure(): Promise<SocketResult> {
    const { messages } = this.#job;
    const looks: Look[] = [];
    for (let inVain = 0; (looks.at(-1)?.count ?? 0) < messages; ) {
      const look = this.#look();
      inVain = look.count === looks.at(-1)?.count ? inVain + 1 : 0;
      if (inVain > LOOKS_IN_VAIN_MAX) throw new Error(`${look.count} of ${messages} messages arrived, and no more`);
      looks.push(look);
      await pause(LOOK_MS);
    }
    const first = looks.find(({ count }) => count >= WARM_SHARE * messages);
    const last = looks.filter(({ count }) => count <= DONE_SHARE * messages).at(-1);
    if (first === undefined || last === undefined || last.count <= first.count)
      throw new Error('over before it could be measured');
    const count = last.count - first.count;
    return {
      messagesPerSecond: (1000 * count) / (last.atMs - first.atMs),
      cpuUsPerMessage: (last.cpuUs - first.cpuUs) / count,
    };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#node.close();
  }

  get #address(): { kind: 'unix'; path: string } {
    return { kind: 'unix', path: join(this.#job.folder, 'line.sock') };
  }

  #look(): Look {
    const { user, system } = process.cpuUsage();
    return { count: readyCount(this.#node), atMs: performance.now(), cpuUs: user + system };
  }
}
