/**
 * Everything that can go wrong and that a caller can act on, in one table. Codes are API, texts are not.
 * Expected trouble of the world (noise, an unplugged port, an absent broker) is state and counters, never one of these.
 */

/** What each error carries. The key is the code. */
export interface ErrorDetails {
  /** The queue, or the ring file, has no room. Nothing was written. Retry after messages were consumed. */
  QUEUE_FULL: { queue: string; bytesLimit: number; bytesUsed: number; bytesNeeded: number };
  /** What queues would reserve is more than the ring can keep. What was configured before stands. Reserve less, or make a larger ring. */
  RESERVE_TOO_LARGE: { bytes: number; bytesMax: number };
  /** This message can never fit. Do not retry. */
  MESSAGE_TOO_LARGE: { bytes: number; bytesMax: number };
  /** Each part fits, all of it together is more than one frame of the ring holds. Nothing was written. Commit in parts. */
  TRANSACTION_TOO_LARGE: { bytes: number; bytesMax: number };
  /** A queue, node or address is not spelled as names are. */
  NAME_INVALID: { name: string; reason: string };
  /** No such queue on this node. */
  QUEUE_NOT_FOUND: { queue: string };
  /** There is a queue of this name already. Nothing was changed. */
  QUEUE_EXISTS: { queue: string };
  /** The queue was deleted while this waited for it, or had it open. */
  QUEUE_DELETED: { queue: string };
  /** Another reader has the queue open for itself alone, or has it open while this asks for it alone. Retry when that one has closed it. */
  SHARING_VIOLATION: { queue: string };
  /** The queue was opened for something else, or what is asked is not for queues of this kind: a system queue, a subqueue. */
  ACCESS_MODE_INVALID: { queue: string; needed: string; reason: string };
  /** The handle is unknown: it was closed, not used for too long, or is of another opening of the node. Open the queue again. */
  HANDLE_UNKNOWN: { handle: string };
  /** No message in the queue is the one that was asked for, and none came within the wait. */
  MESSAGE_NOT_FOUND: { queue: string; wanted: string };
  /** The policy of the queue's node takes no such message. Nothing was stored. */
  MESSAGE_REFUSED: { queue: string; class: string };
  /** The transaction was committed or aborted before. */
  TRANSACTION_ENDED: { transaction: string };
  /** Not the next number of this producer: a smaller one is known already and was answered again, a larger one would leave a hole. */
  PRODUCER_NUMBER_INVALID: { producer: string; number: number; expected: number };
  /** This node remembers no such producer. Nothing was changed. */
  PRODUCER_NOT_FOUND: { producer: string };
  /** No answer came in time. The request may still be served; its answer goes to `$dead`. */
  REQUEST_TIMEOUT: { correlationId: string; waitMs: number };
  /** What a message was sent for will not happen: it ended in another way. */
  DELIVERY_FAILED: { identity: string; class: string };
  /** No word of a message's delivery came in time. It may have arrived, or arrive yet; the word will lie in `$admin`. */
  DELIVERY_UNKNOWN: { identity: string; waitMs: number };
  /** A trigger of this name runs in this program already. */
  TRIGGER_EXISTS: { trigger: string };
  /** No route leads to this address from here. */
  ROUTE_NOT_FOUND: { address: string };
  /** A property of the message is out of range or of the wrong type. */
  PROPERTY_INVALID: { property: string; reason: string };
  /** Bytes that claim to be CBOR are malformed, nested too deeply, or not in the subset this project accepts. */
  CBOR_INVALID: { offset: number; reason: string };
  /** A value has no form in the CBOR subset of this project: a function, an instance of a class, too deep, too many items. */
  CBOR_UNENCODABLE: { reason: string };
  /** Bytes that claim to be an envelope are not one. */
  ENVELOPE_INVALID: { reason: string };
  /** The lease is unknown: it ended, was acknowledged already, or never was. The message may be delivered again. */
  LEASE_UNKNOWN: { lease: string };
  /**
   * The durable write failed: the message may or may not be there when the node is back. Sending it again may store it twice; `outcome`
   * tells, by identity and epoch. Of a transaction its first send is named; '' and 0 where the node could not say.
   */
  IN_DOUBT: { identity: string; epoch: number; reason: string };
  /** The node is stopping or its store has stopped. Nothing was written. */
  NODE_STOPPED: { reason: string };
  /** Too many requests wait for the disk. Nothing was written. Retry later. */
  BUSY: { pending: number; pendingMax: number };
  /** The ring file is not there. */
  RING_NOT_FOUND: { path: string };
  /** The file exists but is not a ring file, or no superblock copy can be read. Nothing was changed. */
  RING_FOREIGN: { path: string; reason: string };
  /** The ring file needs a newer ringmail. Nothing was changed. */
  RING_TOO_NEW: { path: string; format: string };
  /** Another process has this ring file open. */
  RING_LOCKED: { path: string; owner: string };
  /** The ring file has the wrong length: it was cut short or grown by someone else. Nothing was changed. */
  RING_TRUNCATED: { path: string; bytes: number; bytesExpected: number };
  /** The file lies in memory (tmpfs, ramfs, an overlay in RAM): a power cut would empty it. Start with --allow-volatile to accept that. */
  RING_VOLATILE: { path: string; fileSystem: string };
  /** The requested size is outside what the format allows. */
  RING_SIZE_INVALID: { bytes: number; bytesMin: number };
  /** What lives in the old ring does not fit a file of this length. `bytesNeeded`: the smallest that would do. */
  RING_TOO_SMALL: { path: string; bytes: number; bytesNeeded: number };
  /** What this would copy is damaged, and copying would hide it. Nothing was changed. `ringmail ring verify` tells where, `salvage` saves the rest. */
  RING_DAMAGED: { path: string; reason: string };
  /** A file that claims to be an export of a ring is not one, or is cut short. `line`: from 1. Nothing was made of it. */
  EXPORT_INVALID: { path: string; line: number; reason: string };
  /** There is a file of this name already. Nothing was changed. */
  RING_EXISTS: { path: string };
  /** The system refused to create, open or read the ring file: no rights, no space, a directory, a broken medium. */
  RING_UNAVAILABLE: { path: string; reason: string };
  /** A counter of the ring file that must never wrap is used up. Copy what it holds into a new file. Nothing was changed. */
  RING_WORN_OUT: { path: string; counter: number; counterMax: number };
  /** The ring file belongs to another node. Nothing was changed. */
  RING_OTHER_NODE: { path: string; node: string; expected: string };
  /** The node was composed without this verb: the embedded profile has fewer. Nothing was done. Do not retry. */
  VERB_ABSENT: { verb: string };
  /** The configuration was refused. `issues` lists every problem, not just the first. */
  CONFIG_INVALID: { issues: readonly string[] };
  /** A request of the local API is malformed. */
  REQUEST_INVALID: { reason: string };
  /** The local API has nothing at this path. */
  ENDPOINT_NOT_FOUND: { path: string };
  /** The local API has this path, for other methods. */
  METHOD_NOT_ALLOWED: { method: string; allowed: string };
  /** Over the network: no token came with the request, or none that this node knows. */
  TOKEN_INVALID: { reason: string };
  /** The token is known, and has no right to this. Nothing was done. */
  ACCESS_DENIED: { client: string; needed: string; reason: string };
  /** No node answers on this socket. */
  NODE_UNREACHABLE: { socket: string; reason: string };
  /** Another process serves this socket. It was left alone. */
  SOCKET_IN_USE: { socket: string };
  /** The socket cannot be made at this path: too long, no such folder, no rights, or something that is not a socket lies there. */
  SOCKET_UNUSABLE: { socket: string; reason: string };
  /** The command line is not understood. Nothing was done. */
  USAGE_INVALID: { reason: string };
  /** The port of a line cannot be opened now: not plugged in, held by another program, no rights. Retry later. */
  LINE_UNAVAILABLE: { line: string; reason: string };
  /** No serial port is what the line asks for; `present` are those there are. Retry: it may be plugged in later. */
  PORT_NOT_FOUND: { match: string; present: readonly string[] };
  /** Several serial ports are what the line asks for. None was opened. Say more of the one that is meant, or unplug the others. */
  PORT_AMBIGUOUS: { match: string; paths: readonly string[] };
  /** `serialport` is not installed or cannot be loaded on this machine. Do not retry. */
  SERIALPORT_MISSING: { reason: string };
}

export type ErrorCode = keyof ErrorDetails;

/** The one error class. `hasCode` narrows `details` to those of the code. */
export class RingmailError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C;
  readonly details: ErrorDetails[C];

  constructor(code: C, details: ErrorDetails[C]) {
    super(`${code} ${JSON.stringify(details)}`);
    this.name = 'RingmailError';
    this.code = code;
    this.details = details;
  }
}

/** True when `error` is a ringmail error with this code; its details are then typed. */
export function hasCode<C extends ErrorCode>(error: unknown, code: C): error is RingmailError<C> {
  return error instanceof RingmailError && error.code === code;
}

/** @throws PROPERTY_INVALID, always */
export function refuseProperty(property: string, reason: string): never {
  throw new RingmailError('PROPERTY_INVALID', { property, reason });
}
