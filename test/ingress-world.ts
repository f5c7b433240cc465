/** An ingress before a node that answers as a test says, or before a real one. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runIngress } from '../gateway/ingress-role.ts';
import { Passwords } from '../gateway/passwords.ts';
import type { Call, CallResult } from '../shared/core/calls.ts';
import { RingmailError } from '../shared/errors.ts';
import type { IngressConfig, IngressRule } from '../shared/node/config/config.ts';
import { parseConfig, toCoreConfig } from '../shared/node/config/config.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { type IngressWatch, Node } from '../shared/node/node.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';

export type SendCall = Extract<Call, { verb: 'send' }>;
type Success = Exclude<CallResult, { kind: 'error' }>;

/** Stores nothing. A send to the queue `slow` is answered when the test says so, one to `full` is refused until it says otherwise. */
export class ScriptedNode implements NodeCalls {
  readonly lineStates = new Map<string, string>();
  ingress: IngressWatch | undefined;
  /** What was taken, in order. */
  readonly taken: SendCall[] = [];
  refusals = 0;
  isFull = true;
  readonly #slow: (() => void)[] = [];
  readonly #positions = new Map<string, Uint8Array>();

  async call(call: Call): Promise<Success> {
    switch (call.verb) {
      case 'send':
        return this.#send(call);
      case 'position':
        return { kind: 'position', value: this.#positions.get(call.name) };
      case 'commit':
        for (const step of call.steps) if (step.do === 'position') this.#positions.set(step.name, step.value);
        return { kind: 'committed', identities: [], durability: 'sync' };
      default:
        throw new Error(`not for this node: ${call.verb}`);
    }
  }

  /** Answers all that is slow. */
  hurry(): void {
    for (const answer of this.#slow.splice(0)) answer();
  }

  bodies(): string[] {
    return this.taken.map(({ body }) => new TextDecoder().decode(body));
  }

  async #send(call: SendCall): Promise<Success> {
    if (call.destination === 'n/full' && this.isFull) {
      this.refusals += 1;
      throw new RingmailError('QUEUE_FULL', { queue: 'full', bytesLimit: 1, bytesUsed: 1, bytesNeeded: 1 });
    }
    this.taken.push(call);
    if (call.destination === 'n/slow') await new Promise<void>((resolve) => this.#slow.push(resolve));
    return { kind: 'sent', identity: 'n', durability: 'sync' };
  }
}

export const RULES: readonly IngressRule[] = [
  { topic: 'slow/#', queue: 'n/slow', priority: undefined, contentType: undefined, label: undefined },
  { topic: 'full/#', queue: 'n/full', priority: undefined, contentType: undefined, label: undefined },
  { topic: 'sensors/+/temperature', queue: 'n/fast', priority: 5, contentType: 'application/json', label: 'warm' },
  { topic: 'fast/#', queue: 'n/fast', priority: undefined, contentType: undefined, label: undefined },
];

export interface RunningIngress {
  readonly port: number;
  readonly logs: string[];
  counts(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export async function openIngress(
  node: Parameters<typeof runIngress>[0],
  options: Partial<IngressConfig> & { readonly passwordText?: string } = {},
): Promise<RunningIngress> {
  const logs: string[] = [];
  const stop = new AbortController();
  const { passwordText, ...changes } = options;
  const listen = options.listen ?? { host: '127.0.0.1', port: await freePort() };
  const { port } = listen;
  const config: IngressConfig = {
    passwords: undefined,
    clientCountMax: 10,
    packetBytesMax: 64 * 1024,
    inFlightBytesMax: 64 * 1024,
    holdMs: 30_000,
    rules: RULES,
    ...changes,
    listen,
  };
  const passwords = passwordText === undefined ? undefined : Passwords.parse(passwordText);
  const running = runIngress(node, { config, passwords, log: (level, text) => logs.push(`${level} ${text}`) }, stop.signal);
  while (node.lineStates.get(`mqtt:127.0.0.1:${port}`) !== 'open') await new Promise((resolve) => setTimeout(resolve, 2));
  return {
    port,
    logs,
    counts: () => node.ingress?.counts() ?? {},
    close: async () => {
      stop.abort();
      await running;
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** A real node over a ring in a folder of its own, with the queues that the rules name; opened again as often as wanted. */
export class RealRing {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ringmail-ingress-'));

  readonly #copies: RealRing[] = [];

  async open(more = ''): Promise<Node> {
    const text = `name = "n"\n${more}\n[queues.fast]\n[queues.slow]\n[queues.full]\nlimit = 300\n`;
    const config = parseConfig(text, { directory: this.#folder });
    const ringPath = join(this.#folder, 'n.ring');
    const options = { fileBytes: 388 * 4096, fileId: new Uint8Array(16).fill(7), volatile: 'allow' as const };
    await createRing(ringPath, options).catch((error: unknown) => {
      if (!(error instanceof RingmailError && error.code === 'RING_EXISTS')) throw error;
    });
    return Node.open({ config: { ...toCoreConfig(config, undefined), queueBytesLimit: 100_000 }, ringPath, volatile: 'allow' });
  }

  /** What the disk has at this instant, as after a power cut: of a node that goes on without knowing. */
  async openCopy(): Promise<Node> {
    const copy = new RealRing();
    this.#copies.push(copy);
    copyFileSync(join(this.#folder, 'n.ring'), join(copy.#folder, 'n.ring'));
    return copy.open();
  }

  remove(): void {
    for (const copy of this.#copies) copy.remove();
    rmSync(this.#folder, { recursive: true });
  }
}
