/** For tests: the command line against a served fake node, in a folder of its own. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FakeNode } from '../shared/node/api/fake-node.ts';
import { type ApiServer, serveApi } from '../shared/node/api/server.ts';
import type { CommandTable } from './args.ts';
import { FakeWorld } from './fake-world.ts';
import { SOCKET_DEFAULT } from './reach-node.ts';
import { runCommandLine } from './run.ts';

export const COMMANDS: CommandTable = {
  send: async () => (await import('./send.ts')).send,
  receive: async () => (await import('./receive.ts')).receive,
  peek: async () => (await import('./peek.ts')).peek,
  transaction: async () => (await import('./transaction.ts')).transaction,
  dead: async () => (await import('./dead.ts')).dead,
  redrive: async () => (await import('./letters.ts')).redrive,
  move: async () => (await import('./letters.ts')).move,
  outcome: async () => (await import('./outcome.ts')).outcome,
  ledger: async () => (await import('./ledger.ts')).ledger,
  trace: async () => (await import('./probe.ts')).trace,
  ping: async () => (await import('./probe.ts')).ping,
  stats: async () => (await import('./stats.ts')).stats,
};
/** Groups of commands. */
export const GROUPS: CommandTable = {
  queue: async () => (await import('./queue.ts')).queue,
  producer: async () => (await import('./producer.ts')).producer,
  holes: async () => (await import('./holes.ts')).holes,
};

export class CliFixture {
  readonly folder = mkdtempSync(join(tmpdir(), 'ringmail-cli-'));
  readonly node = new FakeNode();
  #server: ApiServer | undefined;

  get socketPath(): string {
    return join(this.folder, SOCKET_DEFAULT);
  }

  async serve(socketPath = this.socketPath): Promise<void> {
    mkdirSync(dirname(socketPath), { recursive: true });
    this.#server = await serveApi(this.node, { socketPath });
  }

  newWorld(): FakeWorld {
    return new FakeWorld(this.folder);
  }

  /** Runs one command line in a world of its own, or in the given one. */
  async run(argv: readonly string[], world = this.newWorld()): Promise<{ code: number; out: string; err: string }> {
    const code = await runCommandLine({ ...COMMANDS, ...GROUPS }, argv, world);
    return { code, out: world.out, err: world.err };
  }

  async end(): Promise<void> {
    await this.#server?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
