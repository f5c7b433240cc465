/** Parameters that several endpoints take, read from a query. */
import type { Call, ProducerNumber } from '../../core/calls.ts';
import { WAIT_MS_MAX } from '../../core/desk-shell.ts';
import { RingmailError } from '../../errors.ts';
import type { Properties } from '../../message/message.ts';
import { checkSelector, parsePlace, type Selector } from '../../queue/selector.ts';
import { LEASE_MS_DEFAULT } from './api-limits.ts';
import type { ClientAccount } from './client-account.ts';
import type { BodyAs } from './message-json.ts';
import { PROPERTY_NAMES, readProperties } from './message-properties.ts';
import { type Query, wholeOf } from './target.ts';

export const PRODUCER_PARAMETERS = ['producer', 'number'] as const;
export const SELECTOR_PARAMETERS = ['by', 'after', 'before', 'lookupId', 'identity', 'correlationId'] as const;
export const PROPERTY_PARAMETERS = [...PROPERTY_NAMES, 'header:*'];

/** @throws PROPERTY_INVALID for a number that is none */
export function takeProperties(query: Query): Properties {
  const headers = query.takePrefixed('header:');
  const properties = readProperties({ whole: (name) => takeNumber(query, name), text: (name) => query.take(name) });
  return headers.size === 0 ? properties : { ...properties, headers };
}

function takeNumber(query: Query, property: string): number | undefined {
  const text = query.take(property);
  if (text === undefined) return undefined;
  return wholeOf(text) ?? refuse(new RingmailError('PROPERTY_INVALID', { property, reason: 'not a whole number' }));
}

/** Left away, the node's own default holds. @throws REQUEST_INVALID */
export function takeSendWait(query: Query): { readonly waitMs?: number } {
  const waitMs = query.takeWhole('waitMs', { min: 0, max: WAIT_MS_MAX, missing: -1 });
  return waitMs < 0 ? {} : { waitMs };
}

export function takeWait(query: Query): number {
  return query.takeWhole('waitMs', { min: 0, max: WAIT_MS_MAX, missing: 0 });
}

export function takeLeaseMs(query: Query): number {
  return query.takeWhole('leaseMs', { min: 1, max: WAIT_MS_MAX, missing: LEASE_MS_DEFAULT });
}

/** @throws REQUEST_INVALID when only one of the two is said */
export function takeProducer(query: Query): { readonly by?: ProducerNumber } {
  const producer = query.take('producer');
  const number = query.takeWhole('number', { min: 1, max: Number.MAX_SAFE_INTEGER, missing: 0 });
  if (producer === undefined && number === 0) return {};
  if (producer === undefined || number === 0) throw invalid('producer and number go together');
  return { by: { producer, number } };
}

/** One of the words, or the first where nothing is said. @throws REQUEST_INVALID */
export function takeWord<T extends string>(query: Query, name: string, words: readonly [T, ...T[]]): T {
  const said = query.take(name);
  if (said === undefined) return words[0];
  return words.find((word) => word === said) ?? refuse(invalid(`${name} is ${words.join(' or ')}`));
}

/** @throws HANDLE_UNKNOWN for one of another client */
export function takeHandle(query: Query, client: ClientAccount): { readonly handle?: string } {
  const handle = query.take('handle');
  client.checkHandle(handle);
  return handle === undefined ? {} : { handle };
}

export function takeBodyAs(query: Query): BodyAs {
  return takeWord(query, 'bodyAs', ['auto', 'base64']);
}

/** At most one of them. @throws REQUEST_INVALID */
export function takeSelector(query: Query): { readonly select?: Selector } {
  const found = [...SELECTORS].flatMap(([name, read]) => {
    const text = query.take(name);
    return text === undefined ? [] : [read(text) ?? refuse(invalid(`${name}=${text.slice(0, 80)} is not understood`))];
  });
  const [select] = found;
  if (found.length > 1) throw invalid(`one of ${[...SELECTORS.keys()].join(', ')} selects a message, not several`);
  return select === undefined ? {} : { select };
}

const SELECTORS: ReadonlyMap<string, (text: string) => Selector | undefined> = new Map([
  ['by', (text) => (text === 'first' || text === 'last' ? { by: text } : undefined)],
  ['after', (text) => placed('after', text)],
  ['before', (text) => placed('before', text)],
  ['lookupId', (text) => numbered('lookupId', text)],
  ['arrivedAfter', (text) => numbered('arrivedAfter', text)],
  ['identity', (identity) => ({ by: 'identity', identity })],
  ['correlationId', (correlationId) => ({ by: 'correlationId', correlationId })],
]);

function placed(by: 'after' | 'before', text: string): Selector | undefined {
  const place = parsePlace(text);
  return place && { by, place };
}

function numbered(by: 'lookupId' | 'arrivedAfter', text: string): Selector | undefined {
  const lookupId = wholeOf(text);
  return lookupId === undefined ? undefined : { by, lookupId };
}

/** @throws REQUEST_INVALID */
export function needWhole(query: Query, name: string): number {
  const value = query.takeWhole(name, { min: 0, max: Number.MAX_SAFE_INTEGER, missing: -1 });
  return value < 0 ? refuse(invalid(`${name} is missing`)) : value;
}

/** @throws REQUEST_INVALID */
export function needText(query: Query, name: string): string {
  return query.take(name) ?? refuse(invalid(`${name} is missing`));
}

/** The parameters that say so. */
export function selectorParameters(select: Selector | undefined): Record<string, string> {
  if (select !== undefined) checkSelector(select);
  switch (select?.by) {
    case undefined:
      return {};
    case 'first':
    case 'last':
      return { by: select.by };
    case 'after':
    case 'before':
      return { [select.by]: `${select.place.priority}.${select.place.lookupId}` };
    case 'lookupId':
    case 'arrivedAfter':
      return { [select.by]: String(select.lookupId) };
    case 'identity':
      return { identity: select.identity };
    case 'correlationId':
      return { correlationId: select.correlationId };
  }
}

/** What a call that was answered otherwise means: its wait was given up. */
export function unanswered(verb: Call['verb']): RingmailError<'NODE_STOPPED'> {
  return new RingmailError('NODE_STOPPED', { reason: `nobody waited for the answer to ${verb}` });
}

function invalid(reason: string): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason });
}

function refuse(error: RingmailError): never {
  throw error;
}
