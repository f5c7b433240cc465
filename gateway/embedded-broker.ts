/**
 * The only place that knows aedes. An MQTT 3.1.1 broker in this process, which is a pipe and keeps nothing that anybody relies on; and a
 * door, which forwards nothing: what clients publish is answered when those behind it say so.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import { Aedes, type AuthenticateError, type AuthorizePublishHandler } from 'aedes';
import { toUtf8 } from '../shared/bytes.ts';
import { INGRESS_CONNECT_MS_MAX, PUBLISH_BYTES_MAX } from '../shared/limits.ts';
import { type Door, type DoorGuest, type MqttPublish, Refusal } from './mqtt-door.ts';

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

/** Packets that a client may send before it hears CONNACK. Its stream bounds their bytes. */
const EARLY_COUNT_MAX = 65_535;
/** What is left of a publish once it is taken: nobody subscribes to it. */
const TAKEN = 'taken';
const NOT_FORWARDED = 'not forwarded';
/** Stands for a session that goes on: aedes says session present for whoever has subscriptions. It is refused like any other. */
const RESUMED = { topic: 'resumed', qos: 0 as const };

type AedesClient = NonNullable<Parameters<AuthorizePublishHandler>[0]>;

/** Brings byte streams of clients to those behind `door`. */
export async function openDoor(door: Door): Promise<StreamBroker> {
  const guests = new WeakMap<object, DoorGuest>();
  /** Between its authentication and the look for its session, by client id. */
  const resumed = new Set<string>();
  const nameless = new WeakSet<object>();
  const broker = await Aedes.createBroker({
    connectTimeout: INGRESS_CONNECT_MS_MAX,
    drainTimeout: DRAIN_MS_MAX,
    queueLimit: EARLY_COUNT_MAX,
    maxInflightInbound: 0,
    persistence: persistenceOf(guests, resumed),
    preConnect: (client, packet, done) => {
      if (packet.clientId === '') nameless.add(client);
      done(null, true);
    },
    authenticate: (client, username, password, done) => {
      const clientId = nameless.has(client) ? '' : client.id;
      const connecting = { clientId, session: client.clean ? ('clean' as const) : ('kept' as const), username, password };
      void door.enter(connecting, client.conn).then((guest) => {
        if (typeof guest === 'number') return done(refusal(guest), null);
        guests.set(client, guest);
        if (guest.isResumed) resumed.add(client.id);
        done(null, true);
      });
    },
    authorizePublish: (client, packet, done) => {
      const guest = client === null ? undefined : guests.get(client);
      if (guest === undefined) return done(new Refusal(NOT_FORWARDED));
      const publish = publishOf(packet);
      // Whatever becomes of it, it is nothing that a broker would have to do something with.
      if (publish.kind === 'will') {
        void guest.publish(publish).catch(() => {}); // counted and logged by the guest; nobody is left to be told
        return done(new Refusal(NOT_FORWARDED));
      }
      guest.publish(publish).then(
        () => {
          Object.assign(packet, { topic: TAKEN, payload: '', retain: false });
          done(null);
        },
        (error: Error) => done(error),
      );
    },
    authorizeSubscribe: (_client, subscription, done) => {
      if (subscription !== RESUMED) door.onSubscribe();
      done(null, null);
    },
    authorizeForward: () => null,
  });
  broker.on('clientError', (_client, error) => door.onTrouble(error));
  broker.on('connectionError', (_client, error) => door.onTrouble(error));
  return {
    accept: (stream) => void broker.handle(stream),
    close: () => new Promise((resolve) => broker.close(() => resolve())),
  };
}

function refusal(returnCode: number): AuthenticateError {
  return Object.assign(new Refusal(`refused with CONNACK ${returnCode}`), { returnCode });
}

/** A will is a part of CONNECT, and has no command of its own. */
function publishOf(packet: Parameters<AuthorizePublishHandler>[1]): MqttPublish {
  const { cmd, topic, payload, qos, retain, messageId } = packet;
  return {
    kind: cmd === 'publish' ? 'publish' : 'will',
    topic,
    // A copy: what was read with it is not kept as long as the message.
    payload: typeof payload === 'string' ? toUtf8(payload) : new Uint8Array(payload),
    qos,
    retain: retain ? 'retain' : 'plain',
    packetId: messageId ?? 0,
  };
}

/** What aedes would keep: nothing, but for the packet ids of QoS 2, which the guests keep. */
function persistenceOf(guests: WeakMap<object, DoorGuest>, resumed: Set<string>): object {
  const nothing = async (): Promise<void> => {};
  const none = async (): Promise<never[]> => [];
  const empty = (): Readable => Readable.from([]);
  return {
    setup: nothing,
    destroy: nothing,
    subscriptionsByClient: async ({ id }: AedesClient) => (resumed.delete(id) ? [RESUMED] : []),
    subscriptionsByTopic: none,
    addSubscriptions: nothing,
    removeSubscriptions: nothing,
    cleanSubscriptions: nothing,
    storeRetained: nothing,
    createRetainedStreamCombi: empty,
    outgoingEnqueueCombi: nothing,
    outgoingStream: empty,
    outgoingUpdate: nothing,
    outgoingClearMessageId: nothing,
    putWill: nothing,
    delWill: nothing,
    streamWill: empty,
    incomingStorePacket: nothing,
    incomingGetPacket: async (client: AedesClient, { messageId }: { messageId: number }) => {
      if (guests.get(client)?.hasPacketId(messageId)) return {};
      throw new Error('no such packet id');
    },
    // What rejects here is answered all the same: where the disk does not forget the id, the connection ends and nothing is said.
    incomingDelPacket: async (client: AedesClient, { messageId }: { messageId: number }) => {
      try {
        await guests.get(client)?.release(messageId);
      } catch (error) {
        client.conn.destroy(error instanceof Error ? error : undefined);
        await new Promise(() => {});
      }
    },
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
