/** What the local API answers with, and the status of every refusal. */
import type { ErrorCode, RingmailError } from '../../errors.ts';
import { RETRY_SECONDS } from './api-limits.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** Called when the client was gone before it could take the answer. */
  readonly undelivered?: () => void;
}

/** HTTP status by code. A code that is not here is nothing a request can cause: 500. */
export const STATUS_BY_CODE: Readonly<Partial<Record<ErrorCode, number>>> = {
  NAME_INVALID: 400,
  PROPERTY_INVALID: 400,
  REQUEST_INVALID: 400,
  CBOR_UNENCODABLE: 400,
  QUEUE_NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  ENDPOINT_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  LEASE_UNKNOWN: 410,
  MESSAGE_TOO_LARGE: 413,
  TRANSACTION_TOO_LARGE: 413,
  IN_DOUBT: 500,
  BUSY: 503,
  NODE_STOPPED: 503,
  QUEUE_FULL: 507,
};

/** Refusals that pass by themselves; the client is told when to come again. */
const PASSING: readonly ErrorCode[] = ['BUSY', 'NODE_STOPPED', 'QUEUE_FULL'];

export const NOTHING: Reply = { status: 204, headers: {}, body: '' };

/** One line of JSON: friendly to terminals and to readers that go by lines. */
export function jsonReply(value: unknown, status = 200): Reply {
  return jsonTextReply(JSON.stringify(value), status);
}

export function jsonTextReply(json: string, status = 200): Reply {
  return { status, headers: { 'Content-Type': 'application/json' }, body: `${json}\n` };
}

export function errorReply(error: RingmailError, status = STATUS_BY_CODE[error.code] ?? 500): Reply {
  const { code, message, details } = error;
  const reply = jsonReply({ code, message, details }, status);
  const retry = PASSING.includes(code) ? { 'Retry-After': String(RETRY_SECONDS) } : {};
  const allow = 'allowed' in details ? { Allow: details.allowed } : {};
  return { ...reply, headers: { ...reply.headers, ...retry, ...allow } };
}
