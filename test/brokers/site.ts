/**
 * A gateway and a central, whole nodes in this process with rings of their own, over one broker; each by a cable of its own.
 *
 *   sends ──▶ gateway ── cable ── broker ── cable ── central ──▶ receives
 */

import { spawnSync } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TcpProxy } from '../../hardware-sim/tcp-proxy.ts';
import type { NodeConfig } from '../../shared/core/node-io.ts';
import { createRing } from '../../shared/node/create-ring.ts';
import { LocalNode } from '../../shared/node/library.ts';
import { connectBroker } from '../../shared/node/mqtt-broker.ts';
import { Node } from '../../shared/node/node.ts';
import { systemRandom } from '../../shared/node/random.ts';
import { freePort } from '../ingress-world.ts';
import { type BrokerKind, type BrokerProcess, GATEWAY_USER, type Setup } from './kinds.ts';

const RING_BYTES = 16 * 1024 * 1024;
const QUEUE_BYTES = 6 * 1024 * 1024;
const RECEIVERS = 16;
const BODY_BYTES = 100;
const LOOK_MS = 50;
const QUIET_MS = 1_000;

export interface Result {
  readonly accepted: number;
  readonly lost: number;
  readonly twice: number;
  readonly dead: number;
  /** Messages that are still at the gateway. */
  readonly held: number;
}

export class Site {
  readonly kind: BrokerKind;
  readonly folder: string;
  readonly logs: string[] = [];
  readonly port: number;
  #setup: Setup;
  #broker: BrokerProcess | undefined;
  readonly cables: { readonly gateway: TcpProxy; readonly central: TcpProxy };
  #gateway: { readonly node: Node; readonly local: LocalNode } | undefined;
  #central: { readonly local: LocalNode; readonly stop: AbortController; readonly receiving: Promise<unknown> } | undefined;
  readonly #seen = new Map<number, number>();
  #accepted = 0;

  private constructor(kind: BrokerKind, setup: Setup, at: { folder: string; port: number; cables: Site['cables'] }) {
    this.kind = kind;
    this.#setup = setup;
    this.folder = at.folder;
    this.port = at.port;
    this.cables = at.cables;
  }

  /** The broker and the gateway; the central where it is asked for. */
  static async open(kind: BrokerKind, setup: Setup): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), 'ringmail-brokers-'));
    mkdirSync(join(folder, 'broker'));
    const port = await freePort();
    const target = { host: '127.0.0.1', port };
    const site = new Site(kind, setup, {
      folder,
      port,
      cables: { gateway: await TcpProxy.open(target), central: await TcpProxy.open(target) },
    });
    try {
      await site.startBroker();
      const node = await site.#openNode('gateway', { uplink: 'mqtt' });
      site.#gateway = { node, local: new LocalNode(node) };
      return site;
    } catch (error) {
      await site.close();
      throw error;
    }
  }

  async startBroker(setup = this.#setup): Promise<void> {
    this.#setup = setup;
    this.#broker = await this.kind.start({ folder: join(this.folder, 'broker'), port: this.port, setup });
  }

  async endBroker(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.#broker?.end(signal);
    this.#broker = undefined;
  }

  async openCentral(): Promise<void> {
    const node = await this.#openNode('central', { isCentral: 'yes', queues: [{ name: 'bags', bytesLimit: QUEUE_BYTES }] });
    const local = new LocalNode(node);
    const stop = new AbortController();
    setMaxListeners(RECEIVERS, stop.signal);
    const receiving = Promise.all(Array.from({ length: RECEIVERS }, () => this.#receive(local, stop.signal)));
    this.#central = { local, stop, receiving };
  }

  /** `count` messages, so many a second; resolves when all are accepted. */
  async send(count: number, perSecond: number, bytes = BODY_BYTES): Promise<void> {
    const startedMs = performance.now();
    for (let i = 0; i < count; i++) {
      const body = Buffer.alloc(bytes);
      body.writeUInt32LE(this.#accepted + 1);
      await this.#gateway?.local.send('central/bags', new Uint8Array(body), {});
      this.#accepted += 1;
      const aheadMs = (1000 * i) / perSecond - (performance.now() - startedMs);
      if (aheadMs > 5) await pause(aheadMs);
    }
  }

  /** Until nothing is left at the gateway and all that was accepted has been received, or the time is up. */
  async settle(ms: number, dead = 0): Promise<Result> {
    const deadlineMs = performance.now() + ms;
    while (performance.now() < deadlineMs && (this.held > 0 || this.#seen.size < this.#accepted - dead)) await pause(LOOK_MS);
    await pause(QUIET_MS); // whatever comes twice
    return this.result();
  }

  result(): Result {
    const twice = [...this.#seen.values()].reduce((sum, times) => sum + times - 1, 0);
    const dead = this.#deadLetters;
    const held = this.held;
    // Words between nodes wait there, too.
    const lost = Math.max(0, this.#accepted - this.#seen.size - dead - held);
    return { accepted: this.#accepted, lost, twice, dead, held };
  }

  get held(): number {
    return (this.#gateway?.node.stats()?.outgoing ?? []).reduce((sum, one) => sum + one.held, 0);
  }

  get received(): number {
    return this.#seen.size;
  }

  /** Why the gateway is red; '' while it is green. */
  get cause(): string {
    const causes = this.#gateway?.node.stats()?.health.causes ?? [];
    return causes.map(({ code, detail }) => `${code}: ${detail}`).join('; ');
  }

  async close(): Promise<void> {
    const { stop, receiving, local } = this.#central ?? {};
    stop?.abort();
    await receiving?.catch(() => {});
    await local?.close();
    await this.#gateway?.local.close();
    await this.endBroker('SIGKILL');
    await this.cables.gateway.close();
    await this.cables.central.close();
    spawnSync('umount', [join(this.folder, 'broker', 'data')]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #deadLetters(): number {
    const queues = this.#gateway?.node.stats()?.queues ?? [];
    return queues.find(({ name }) => name === '$dead')?.ready ?? 0;
  }

  async #openNode(name: 'gateway' | 'central', changes: Partial<NodeConfig>): Promise<Node> {
    const ringPath = join(this.folder, `${name}.ring`);
    await createRing(ringPath, { fileBytes: RING_BYTES, fileId: systemRandom.bytes(16), volatile: 'allow' });
    const config: NodeConfig = {
      ...{ name, queues: [], unknownQueue: 'refuse', queueBytesLimit: 512 * 1024, uplink: 'none', central: 'central' },
      ...{ isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: undefined },
      ...changes,
    };
    const passwordFile = join(this.folder, 'password');
    writeFileSync(passwordFile, 'pw\n');
    const isKnown = name === 'gateway' && this.#setup === 'denied';
    const access = {
      broker: `mqtt://127.0.0.1:${this.cables[name].port}`,
      protocol: this.kind.protocol,
      username: isKnown ? GATEWAY_USER : undefined,
      passwordFile: isKnown ? passwordFile : undefined,
    };
    const log = (_: string, text: string) => void this.logs.push(`${name}: ${text}`);
    const connect = () => connectBroker({ node: name, access, log });
    return Node.open({ config, ringPath, volatile: 'allow', connectBroker: connect, log });
  }

  async #receive(local: LocalNode, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const delivery = await local.receive('bags', { waitMs: 10_000, signal });
      if (delivery === undefined) continue;
      const number = Buffer.from(delivery.message.body).readUInt32LE();
      this.#seen.set(number, (this.#seen.get(number) ?? 0) + 1);
      await delivery.ack();
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
