/** An MQTT 3.1.1 broker in this process, and the only place that knows aedes. It is a pipe: it keeps nothing that anybody relies on. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import { PUBLISH_BYTES_MAX } from '../shared/limits.ts';

export interface RunningBroker {
  readonly port: number;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** A broker without a door: byte streams to its clients are brought to it. */
export interface StreamBroker {
  accept(stream: Duplex): void;
  close(): Promise<void>;
}

/** Half of the port's keepalive of 10 s: what the broker tells itself, and how long an old will may stay unpublished. */
const HEARTBEAT_MS = 5_000;
/** A client that reads nothing for this long is cut off, and what waited for it is dropped. */
const DRAIN_MS_MAX = 20_000;

/** Listens on loopback unless `host` says otherwise; port 0 is any free one. */
export async function startBroker(listen: { readonly host?: string; readonly port: number }): Promise<RunningBroker> {
  const broker = await openBroker();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    broker.accept(socket);
  });
  try {
    await listening(server, listen);
  } catch (error) {
    await broker.close();
    throw error;
  }
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : listen.port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await broker.close();
    },
  };
}

/** The broker itself. It draws an `id` of its own unless it is given one; two at the same clients need different ones. */
export async function openBroker(id?: string): Promise<StreamBroker> {
  const broker = await Aedes.createBroker({
    ...(id !== undefined && { id }),
    heartbeatInterval: HEARTBEAT_MS,
    drainTimeout: DRAIN_MS_MAX,
    preConnect: (_client, packet, done) => {
      // Every session is clean: a backlog for who is away would grow without bound here, and come stale. The rings are the memory.
      (packet as { clean: boolean }).clean = true;
      done(null, true);
    },
    authorizePublish: (_client, { topic, payload }, done) => {
      // Larger ones are nobody's here: nodes would hang up on them, and on a retained one again and again.
      const isRefused = payload.length > PUBLISH_BYTES_MAX || topic.startsWith('$SYS/');
      done(isRefused ? new Error('refused: reserved, or too large') : null);
    },
  });
  // What a client does wrong ends its connection there; it is the client's trouble, not ours.
  broker.on('clientError', () => {});
  broker.on('connectionError', () => {});
  return {
    accept: (stream) => void broker.handle(stream),
    close: () => new Promise((resolve) => broker.close(() => resolve())),
  };
}

function listening(server: Server, listen: { readonly host?: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host ?? '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
