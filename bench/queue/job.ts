/** What a child process is asked for, and what it answers. */

/** `ring`: the ring and its queues alone, without a node around it. */
export type SubjectName = 'ringmail' | 'ring';

interface Load {
  /** Empty, on the file system that is measured. */
  readonly directory: string;
  readonly ringBytes: number;
  readonly bodyBytes: number;
}

/** A node with so many messages queued, of which some are received, acknowledged and replaced, again and again. */
export interface ReceiveJob extends Load {
  readonly kind: 'receive';
  readonly messages: number;
  readonly receivers: number;
  /** Of one stretch: times that some are received. */
  readonly turns: number;
}

/** Messages are stored; between two stretches the store is emptied. */
export interface SendJob extends Load {
  readonly kind: 'send';
  readonly subject: SubjectName;
  readonly senders: number;
  readonly warmMs: number;
  readonly ms: number;
}

/** Sends over the local API: two processes, one that serves and one with all the connections. */
export interface ApiJob extends Load {
  readonly kind: 'api';
  readonly connections: number;
  readonly warmMs: number;
  readonly ms: number;
}

/** A node and its local API, at `socketPath`. A measurement of it is a `Look`, and empties the queue afterwards. */
export interface ApiServerJob extends Load {
  readonly kind: 'api-server';
  readonly socketPath: string;
}

/** Connections that send, each waiting for its answer. A measurement is a `Sending`. */
export interface ApiClientsJob {
  readonly kind: 'api-clients';
  readonly socketPath: string;
  readonly bodyBytes: number;
  readonly connections: number;
  readonly warmMs: number;
  readonly ms: number;
}

export type Job = ReceiveJob | SendJob | ApiJob;
export type ChildJob = ReceiveJob | SendJob | ApiServerJob | ApiClientsJob;

/** Of one stretch. */
export interface Measured {
  readonly messages: number;
  readonly messagesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** User and system, all threads of the process with the node. */
  readonly cpuUsPerMessage: number;
  readonly rssMb: number;
}

/** So far, of the process that serves. */
export interface Look {
  readonly cpuUs: number;
  readonly rssMb: number;
}
export type Sending = Omit<Measured, 'cpuUsPerMessage' | 'rssMb'>;
