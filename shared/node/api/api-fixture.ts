/** For tests: a served fake node in a folder of its own, and requests as bytes and as HTTP, without the client of this project. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBytes } from '../../bytes.ts';
import type { ApiTiming } from './api-limits.ts';
import { FakeNode } from './fake-node.ts';
import type { RemoteOptions } from './remote.ts';
import { type ApiServer, serveApi } from './server.ts';

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Parsed, when it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into it as a client of another language would
  readonly json: any;
}

export interface AskOptions {
  readonly body?: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Over the network, without TLS. */
  readonly token?: string;
}

const SOCKET_NAME = 'ringmail.sock';

export class ApiFixture {
  readonly folder: string;
  readonly socketPath: string;
  readonly node: FakeNode;
  readonly #server: ApiServer;
  readonly #sockets: Socket[] = [];

  private constructor(folder: string, node: FakeNode, server: ApiServer) {
    this.folder = folder;
    this.socketPath = join(folder, SOCKET_NAME);
    this.node = node;
    this.#server = server;
  }

  static async start(timing: Partial<ApiTiming> = {}, remote?: RemoteOptions): Promise<ApiFixture> {
    const folder = mkdtempSync(join(tmpdir(), 'ringmail-api-'));
    const node = new FakeNode();
    const options = { socketPath: join(folder, SOCKET_NAME), timing, ...(remote && { remote }) };
    return new ApiFixture(folder, node, await serveApi(node, options));
  }

  /** Where it listens on the network. */
  get port(): number {
    return this.#server.remote?.port ?? 0;
  }

  /** Closes the server only. */
  close(): Promise<void> {
    return this.#server.close();
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** One request on a connection of its own. */
  ask(method: string, path: string, options: AskOptions = {}): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const { body, headers = {}, token } = options;
      const way = token === undefined ? { socketPath: this.socketPath } : { host: '127.0.0.1', port: this.port };
      const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
      const asked = request({ ...way, method, path, headers: { ...headers, ...authorization }, agent: false });
      asked.on('error', reject);
      asked.on('response', async (response) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of response) chunks.push(chunk);
        const bytes = concatBytes(chunks);
        const text = Buffer.from(bytes).toString();
        const isJson = response.headers['content-type'] === 'application/json';
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          bytes,
          text,
          json: isJson ? JSON.parse(text) : undefined,
        });
      });
      asked.end(body);
    });
  }

  /** A connection of its own, for what no HTTP client would send. */
  open(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.socketPath, allowHalfOpen: true });
      this.#sockets.push(socket);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.on('error', () => {}); // what the server breaks is what the tests look at
        resolve(socket);
      });
    });
  }
}

/** All that comes until the other side ends or breaks the connection. */
export function readToEnd(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('close', () => resolve(text));
    socket.on('end', () => socket.destroy());
  });
}

/** Resolves when `holds` does; looks at it after every turn of the event loop. Rejects after 20 s. */
export async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`still not: ${holds}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
