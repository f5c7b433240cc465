/** For tests: a real node that clients in other languages ask, over its socket and over TLS, and what verbs they asked for. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Call } from '../shared/core/calls.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { type ApiServer, serveApi } from '../shared/node/api/server.ts';
import { remoteFor, TEST_CERT, tokenEntry, tokenOf } from '../shared/node/api/tls-fixture.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { Node } from '../shared/node/node.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';

const CONFIG: NodeConfig = {
  name: 'box-1',
  queues: [],
  unknownQueue: 'create',
  queueBytesLimit: 1_000_000,
  uplink: 'none',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};
const RING_BYTES = 8 * 1024 * 1024;
/** A client that hangs is a failure, in ms. */
const PROGRAM_MS_MAX = 120_000;

/** Every verb that other processes may use; what the compiler knows of them keeps the list whole. */
const VERBS: Readonly<Record<Call['verb'], 'asked'>> = {
  send: 'asked',
  commit: 'asked',
  receive: 'asked',
  peek: 'asked',
  ack: 'asked',
  nack: 'asked',
  deadLetter: 'asked',
  extend: 'asked',
  createQueue: 'asked',
  setQueue: 'asked',
  deleteQueue: 'asked',
  queues: 'asked',
  purge: 'asked',
  move: 'asked',
  redrive: 'asked',
  open: 'asked',
  close: 'asked',
  outcome: 'asked',
  probe: 'asked',
  retireProducer: 'asked',
  ledger: 'asked',
  holes: 'asked',
  closeHoles: 'asked',
  position: 'asked',
  stats: 'asked',
};

export function has(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

/** What README.md shows of a language, as one program. */
export function readmeProgram(language: string): string {
  const page = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, block]) => block).join('\n');
}

export interface Ran {
  readonly code: number | string;
  readonly output: string;
}

export class ClientWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'ringmail-clients-'));
  readonly #asked = new Set<Call['verb']>();
  #node: Node | undefined;
  #api: ApiServer | undefined;

  static async start(): Promise<ClientWorld> {
    const world = new ClientWorld();
    writeFileSync(join(world.folder, 'ca.pem'), TEST_CERT);
    // Where README.md and a client that is told nothing look for it.
    mkdirSync(join(world.folder, '.ringmail'));
    symlinkSync(world.socketPath, join(world.folder, '.ringmail', 'ringmail.sock'));
    const fileId = new Uint8Array(16).fill(9);
    await createRing(world.#ringPath, { fileBytes: RING_BYTES, fileId, volatile: 'allow' });
    await world.#open();
    return world;
  }

  get socketPath(): string {
    return join(this.folder, 'box-1.sock');
  }

  /** Verbs that nobody has asked for yet. */
  get unasked(): string[] {
    return Object.keys(VERBS).filter((verb) => !this.#asked.has(verb as Call['verb']));
  }

  /** Ends by itself, or is ended. A line `RESTART` on its stdout restarts the node, then it is told by a line on its stdin. */
  run(program: string, args: readonly string[]): Promise<Ran> {
    const child = spawn(program, args, { cwd: this.folder, env: { ...process.env, ...this.#env() } });
    const timer = setTimeout(() => child.kill('SIGKILL'), PROGRAM_MS_MAX);
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => (output += chunk));
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      if (!/^RESTART$/m.test(chunk.toString())) return;
      this.#restart().then(
        () => child.stdin.write('restarted\n'),
        () => child.kill('SIGKILL'),
      );
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        resolve({ code: code ?? signal ?? 'unknown', output });
      });
    });
  }

  async end(): Promise<void> {
    await this.#close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #ringPath(): string {
    return join(this.folder, 'box-1.ring');
  }

  #env(): Record<string, string> {
    return {
      RINGMAIL_SOCKET: this.socketPath,
      RINGMAIL_URL: `https://127.0.0.1:${this.#api?.remote?.port}`,
      RINGMAIL_CA: join(this.folder, 'ca.pem'),
      RINGMAIL_TOKEN: tokenOf('sorter'),
    };
  }

  /** At the same port as before. */
  async #open(): Promise<void> {
    const node = await Node.open({ config: CONFIG, ringPath: this.#ringPath, volatile: 'allow' });
    const heard: NodeCalls = {
      call: (call, signal) => {
        this.#asked.add(call.verb);
        return node.call(call, signal);
      },
    };
    this.#node = node;
    const remote = remoteFor([tokenEntry('sorter', ['send', 'receive'])], 'tls');
    const listen = this.#api?.remote ?? remote.listen;
    this.#api = await serveApi(heard, { socketPath: this.socketPath, remote: { ...remote, listen } });
  }

  async #close(): Promise<void> {
    await this.#api?.close();
    await this.#node?.close();
  }

  async #restart(): Promise<void> {
    await this.#close();
    await this.#open();
  }
}
