/** What the local API answers with, and the status of every refusal. */
import type { ErrorCode, RingmailError } from '../../errors.ts';
import { RETRY_SECONDS } from './api-limits.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** Called when the client was gone before it could take the answer. */
  readonly undelivered?: () => void;
  /** More lines after the body, as they come. Resolves when there are no more, and the answer ends. */
  readonly lines?: (sink: LineSink) => Promise<void>;
}

/** Where an answer goes that comes line by line. */
export interface LineSink {
  /** Aborted when nobody takes lines any more; with a coded error as its reason when that is still to be told. */
  readonly signal: AbortSignal;
  /** Resolves when the line has left this process: true, or false when it never will. One at a time. */
  readonly write: (line: string) => Promise<boolean>;
}

/** HTTP status by code. A code that is not here is nothing a request can cause: 500. */
export const STATUS_BY_CODE: Readonly<Partial<Record<ErrorCode, number>>> = {
  NAME_INVALID: 400,
  PROPERTY_INVALID: 400,
  REQUEST_INVALID: 400,
  CBOR_UNENCODABLE: 400,
  TOKEN_INVALID: 401,
  ACCESS_DENIED: 403,
  ACCESS_MODE_INVALID: 403,
  MESSAGE_REFUSED: 403,
  QUEUE_NOT_FOUND: 404,
  MESSAGE_NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  PRODUCER_NOT_FOUND: 404,
  ENDPOINT_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  QUEUE_EXISTS: 409,
  SHARING_VIOLATION: 409,
  RESERVE_TOO_LARGE: 409,
  PRODUCER_NUMBER_INVALID: 409,
  LEASE_UNKNOWN: 410,
  HANDLE_UNKNOWN: 410,
  QUEUE_DELETED: 410,
  MESSAGE_TOO_LARGE: 413,
  TRANSACTION_TOO_LARGE: 413,
  IN_DOUBT: 500,
  BUSY: 503,
  NODE_STOPPED: 503,
  QUEUE_FULL: 507,
};

/** Refusals that pass by themselves; the client is told when to come again. */
const PASSING: readonly ErrorCode[] = ['BUSY', 'NODE_STOPPED', 'QUEUE_FULL'];

const JSON_HEADERS = { 'Content-Type': 'application/json' };

export const NOTHING: Reply = { status: 204, headers: {}, body: '' };

/** One line of JSON: friendly to terminals and to readers that go by lines. */
export function jsonReply(value: unknown, status = 200): Reply {
  return jsonTextReply(JSON.stringify(value), status);
}

export function jsonTextReply(json: string, status = 200): Reply {
  return { status, headers: JSON_HEADERS, body: `${json}\n` };
}

export function errorReply(error: RingmailError, status = STATUS_BY_CODE[error.code] ?? 500): Reply {
  const { code, details } = error;
  const reply = jsonTextReply(errorJson(error), status);
  const retry = PASSING.includes(code) ? { 'Retry-After': String(RETRY_SECONDS) } : {};
  const allow = 'allowed' in details ? { Allow: details.allowed } : {};
  const scheme = status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {};
  return { ...reply, headers: { ...reply.headers, ...retry, ...allow, ...scheme } };
}

export function errorJson({ code, message, details }: RingmailError): string {
  return JSON.stringify({ code, message, details });
}
