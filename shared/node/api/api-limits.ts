/** Every number that bounds the local API, with its unit and its reason. Relations between them are tested. */

/** Version of paths and shapes. A change that breaks a client gets the next one, beside this one. */
export const API_VERSION = 1;

/** Body of one request, in bytes. Above the largest body a large ring takes (192 KiB), so that the node says what its own limit is. */
export const BODY_BYTES_MAX = 196 * 1024;
/** Body of one transaction, in bytes. Above what a frame of the ring takes (512 KiB) once its bodies are base64 in JSON. */
export const TRANSACTION_BYTES_MAX = 768 * 1024;
/** Bodies in memory at once over all connections, in bytes: 80 of the largest, thousands of ordinary ones. Beyond it: BUSY. */
export const BODY_POOL_BYTES_MAX = 16 * 1024 * 1024;
/** Request line and headers together, in bytes: room for 64 headers of a message with name and value of 250 characters each. */
export const HEAD_BYTES_MAX = 64 * 1024;
/** Headers of a request. The properties of a message are in its query; a client by itself sends five. */
export const HEAD_COUNT_MAX = 100;
/** Connections at once. One that waits for a message costs about 20 KB; the next one is closed at once. */
export const CONNECTION_COUNT_MAX = 1024;
/** Requests under way on one connection: a client may send ahead, but not without end. The connection is closed beyond it. */
export const PIPELINED_COUNT_MAX = 16;
/** Connections over the network at once, among them those whose token is not known yet. Beside those of the box, which they never use up. */
export const REMOTE_CONNECTION_COUNT_MAX = 256;
/** Requests under way of one client: above what any one needs, below what would crowd out the others. */
export const CLIENT_REQUEST_COUNT_MAX = 256;
/** Bodies of one client in memory at once, in bytes: a quarter of all there may be. */
export const CLIENT_BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Receives and peeks of one client that wait. */
export const CLIENT_WAIT_COUNT_MAX = 128;
/** Streams of one client. */
export const CLIENT_STREAM_COUNT_MAX = 32;
/** Leases of one client over the network: each is remembered, so that nobody else ends it. */
export const CLIENT_LEASE_COUNT_MAX = 4096;
/** Handles of one client over the network that it may still use. */
export const CLIENT_HANDLE_COUNT_MAX = 256;
/** Lines in a file of tokens. */
export const TOKEN_COUNT_MAX = 1024;
/** Leases that one stream may have outstanding, and how many it has unless it says. */
export const PREFETCH_MAX = 1000;
export const PREFETCH_DEFAULT = 16;
/** A handle nobody gave a time: closed when it is not used for so long. Above the pauses of a program at work. */
export const HANDLE_IDLE_MS_DEFAULT = 30_000;
export { JSON_DEPTH_MAX } from '../../limits.ts';
/** Headers of a message in a raw answer, in bytes: with all else an answer's head stays below 16 KiB, the least that clients take. */
export const RAW_HEADERS_BYTES_MAX = 4096;

/** A lease nobody gave a length. Above what printing, storing or forwarding one message takes, below a person's patience. */
export const LEASE_MS_DEFAULT = 30_000;
/** Health must answer even when the store does not. */
export const HEALTH_MS_MAX = 2_000;
/** Tells clients when to come again after BUSY, and after the node stopped. */
export const RETRY_SECONDS = 1;

/** How long a connection may take for each of its parts. */
export interface ApiTiming {
  /** Until request line and headers are there, in ms. */
  readonly headMs: number;
  /** Until the body is there too, in ms. 196 KiB at 64 kbit/s take 25 s. */
  readonly requestMs: number;
  /** How often the two are looked at, in ms. */
  readonly checkMs: number;
  /** Between two requests, in ms. Above the client's own, so that the client is the one who closes. */
  readonly idleMs: number;
  /** For taking an answer, in ms. */
  readonly answerMs: number;
  /** What closing waits for requests under way, in ms. */
  readonly closeMs: number;
}

export const API_TIMING: ApiTiming = {
  headMs: 10_000,
  requestMs: 30_000,
  checkMs: 1_000,
  idleMs: 60_000,
  answerMs: 30_000,
  closeMs: 2_000,
};

/** Client: a connection not used for this long is closed, in ms. Below the server's `idleMs`. */
export const CLIENT_IDLE_MS_MAX = 30_000;
/** Client: an answer that does not come, in ms beyond the wait that was asked for. Above a slow card's longest write. */
export const CLIENT_ANSWER_MS_MAX = 60_000;
/** Client: how long an aborted wait looks for an answer that was under way, in ms. Above a round trip, below what a person waits for an end. */
export const CLIENT_ABORTED_MS_MAX = 1_000;
/** Client: bytes of an answer. The statistics of 65,536 streams take about 12 MiB. */
export const CLIENT_ANSWER_BYTES_MAX = 32 * 1024 * 1024;
