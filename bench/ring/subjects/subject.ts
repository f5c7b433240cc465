/**
 * What is measured: a store of messages, as a program that uses it sees it. Every subject keeps the same promise, so the figures can
 * be compared: `put` and `ack` are done when a power cut would not undo them.
 */

export type SubjectName = 'ringmail' | 'raw' | 'better-sqlite3' | 'lmdb' | 'classic-level';
export const SUBJECT_NAMES: readonly SubjectName[] = ['ringmail', 'raw', 'better-sqlite3', 'lmdb', 'classic-level'];

export interface Received {
  readonly id: number;
  readonly body: Uint8Array;
}

export interface Subject {
  /** Stores a message. Done when it is durable. Of higher priority are the larger numbers, 0 to 7. */
  put(priority: number, body: Uint8Array): Promise<unknown>;
  /** The most urgent message that nobody has received yet, the oldest of those; its body has been read. */
  receive(): Received | Promise<Received>;
  /** Ends a received message. Done when that is durable. */
  ack(message: Received): Promise<void>;
  /** Fills up to so much of its fixed space with what is no message, where messages alone do not get there. */
  fillUp?(livePercent: number): Promise<void>;
  close(): Promise<void>;
}

export interface SubjectOptions {
  /** Empty, on the file system that is measured. */
  readonly directory: string;
  /** Size of the ring, and room that a rival with a fixed size may take. */
  readonly ringBytes: number;
  readonly senders: number;
  readonly bodyBytes: number;
}

export const PRIORITIES = 8;
