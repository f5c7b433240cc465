/** What a child process is asked for, and what it answers. */

interface Folder {
  /** Of its own, on the file system that is measured. */
  readonly folder: string;
}

/** A central over the broker. `consume`: its queue is received from, by so many, and each message is acknowledged. */
export interface CentralJob extends Folder {
  readonly kind: 'central';
  readonly brokerPort: number;
  readonly ringBytes: number;
  readonly receivers: number;
}

/** A node between devices, on a Unix socket, and the broker. */
export interface GatewayJob extends Folder {
  readonly kind: 'gateway';
  readonly brokerPort: number;
  readonly ringBytes: number;
  readonly socketPath: string;
  readonly publishes: 'one-message' | 'what-waits';
}

/** Nodes in one process, each with a ring of its own, filled beforehand. The first `measure` lets them dial. */
export interface DevicesJob extends Folder {
  readonly kind: 'devices';
  readonly socketPath: string;
  /** Part of their names: nobody else has it. */
  readonly name: string;
  readonly devices: number;
  readonly messagesEach: number;
  readonly bodyBytes: number;
  /** Beside what they were filled with: so many a second, all together, from the second `measure` on. */
  readonly livePerSecond: number;
  /** Where those go. */
  readonly liveQueue?: string;
}

/** An MQTT client that publishes at QoS 1, to a broker. */
export interface PublisherJob {
  readonly kind: 'publisher';
  readonly brokerPort: number;
  readonly bodyBytes: number;
  readonly inFlight: number;
  /** 0: as fast as it can. */
  readonly perSecond: number;
}

/** An MQTT client that receives at QoS 1, and counts. */
export interface SubscriberJob {
  readonly kind: 'subscriber';
  readonly brokerPort: number;
}

/** Takes so many messages while nobody is at the broker's port; later hands over what it has. */
export interface EdgeJob extends Folder {
  readonly kind: 'edge';
  readonly subject: 'ringmail' | 'mqtt-client' | 'mqtt-client-level' | 'mqtt-client-jsonl';
  readonly brokerPort: number;
  readonly messages: number;
}

export type Job = CentralJob | GatewayJob | DevicesJob | PublisherJob | SubscriberJob | EdgeJob;

/** So far. */
export interface Look {
  /** Messages: durable at a central, handed over by a subscriber; in a gateway's ring. */
  readonly count: number;
  readonly atMs: number;
  /** User and system, all threads. */
  readonly cpuUs: number;
  readonly rssMb: number;
  /** Since the last look: delays of live messages, from their send to whoever receives them, in ms. */
  readonly delaysMs: readonly number[];
}
