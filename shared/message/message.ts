/** A message as applications see it, and the rules for its properties. */
import { unreachable } from '../assert.ts';
import { refuseProperty } from '../errors.ts';
import { HEADER_COUNT_MAX } from '../limits.ts';
import { isQueueName } from './address.ts';
import type { EndingClass } from './classes.ts';
import type { Epoch, Identity } from './identity.ts';

export const PRIORITY_MAX = 7;
export const PRIORITY_DEFAULT = 3;
/** Text properties (label, correlationId, contentType), in UTF-16 units. Bounds what an index or a page has to show. */
export const TEXT_LENGTH_MAX = 250;
/** Of the number that means something to the application alone: 32 bits. */
export const APP_SPECIFIC_MAX = 0xffff_ffff;

/** What an application says about a message besides its body. Everything has a default. */
export interface Properties {
  readonly priority?: number;
  readonly contentType?: string;
  readonly label?: string;
  readonly correlationId?: string;
  /** Address of the queue for replies. */
  readonly responseQueue?: string;
  readonly appSpecific?: number;
  readonly headers?: ReadonlyMap<string, string>;
  readonly timeToReachQueueMs?: number;
  readonly timeToBeReceivedMs?: number;
  /** Not delivered before this long after it was sent, at its destination. */
  readonly deliverAfterMs?: number;
  /**
   * What the sender's `$admin` is told: that it was stored at its destination (`reach`), that it was received (`receive`), or both
   * (`full`); and in each case, that it will never be, and why.
   */
  readonly acknowledge?: Acknowledge;
  /** `off`: no copy of it goes to a dead letter queue; it is accounted for all the same. */
  readonly deadLetter?: 'off';
  /** `on`: a copy is kept in the `$journal` of the node that takes it. */
  readonly journal?: 'on';
}

export const ACKNOWLEDGE = ['reach', 'receive', 'full'] as const;
export type Acknowledge = (typeof ACKNOWLEDGE)[number];

/** The transaction that sent a message: its members to one queue and priority stand side by side. */
export interface TransactionMark {
  /** Of the node that committed it, and of no other transaction there. */
  readonly id: string;
  /** From 0. */
  readonly index: number;
  /** Messages it sent, over all destinations. */
  readonly count: number;
}

/** One step of a message that was given up: which class, where, and words for people. */
export interface Ending {
  readonly class: EndingClass;
  readonly node: string;
  readonly reason: string;
}

/** A message that has no identity yet. */
export interface Content {
  readonly body: Uint8Array;
  readonly properties: Properties;
  readonly history?: readonly Ending[];
  /** As of `Message`, and so are the others. */
  readonly previous?: string;
  readonly maybeDuplicate?: 'maybe';
  readonly transaction?: TransactionMark;
}

/** A message with its identity. `body` is never changed on its way. */
export interface Message extends Properties {
  readonly identity: Identity;
  readonly epoch: Epoch;
  readonly priority: number;
  readonly body: Uint8Array;
  /** Identity of the message this one was made from (a dead letter, a redrive). */
  readonly previous?: string;
  readonly history?: readonly Ending[];
  /** The store it came from was rolled back: the same content may exist under an older incarnation. */
  readonly maybeDuplicate?: 'maybe';
  readonly transaction?: TransactionMark;
  /** Keys of a newer version, kept as they came. */
  readonly unknown?: ReadonlyMap<number, unknown>;
}

/** All there are: what else an object from outside has is a misspelt one, or not for a sender to say. */
const PROPERTIES: ReadonlySet<string> = new Set<keyof Properties>([
  'priority',
  'contentType',
  'label',
  'correlationId',
  'responseQueue',
  'appSpecific',
  'headers',
  'timeToReachQueueMs',
  'timeToBeReceivedMs',
  'deliverAfterMs',
  'acknowledge',
  'deadLetter',
  'journal',
]);

const NO_HEADERS: ReadonlyMap<string, string> = new Map();

function isProperty(name: string): name is keyof Properties {
  return PROPERTIES.has(name);
}

/** @throws PROPERTY_INVALID, NAME_INVALID for the first property that breaks a rule: what there is not, costs nothing */
export function checkProperties(properties: Properties): void {
  for (const name of Object.keys(properties)) {
    if (!isProperty(name)) refuseProperty(name, 'no such property');
    if (properties[name] !== undefined) checkProperty(properties, name);
  }
}

function checkProperty(properties: Properties, name: keyof Properties): void {
  switch (name) {
    case 'priority':
      return checkWhole(name, properties[name], PRIORITY_MAX);
    case 'appSpecific':
      return checkWhole(name, properties[name], APP_SPECIFIC_MAX);
    case 'timeToReachQueueMs':
    case 'timeToBeReceivedMs':
    case 'deliverAfterMs':
      return checkWhole(name, properties[name], Number.MAX_SAFE_INTEGER);
    case 'contentType':
    case 'label':
    case 'correlationId':
      return checkText(name, properties[name]);
    case 'responseQueue':
      checkText(name, properties[name]);
      if (!isQueueName(properties[name]?.split('/').at(-1) ?? '')) refuseProperty(name, 'not an address');
      return;
    case 'acknowledge':
      return checkWord(name, properties[name], ACKNOWLEDGE);
    case 'deadLetter':
      return checkWord(name, properties[name], ['off']);
    case 'journal':
      return checkWord(name, properties[name], ['on']);
    case 'headers':
      return checkHeaders(properties[name] ?? NO_HEADERS);
    default:
      return unreachable(name);
  }
}

function checkHeaders(headers: ReadonlyMap<string, string>): void {
  if (headers.size > HEADER_COUNT_MAX) refuseProperty('headers', `more than ${HEADER_COUNT_MAX}`);
  for (const [name, value] of headers) {
    checkText(`header ${name}`, name);
    checkText(`header ${name}`, value);
  }
}

function checkWhole(property: string, value: number | undefined, max: number): void {
  if (value === undefined) return;
  if (!Number.isSafeInteger(value) || value < 0 || value > max) refuseProperty(property, `not a whole number from 0 to ${max}`);
}

function checkWord(property: string, value: string | undefined, words: readonly string[]): void {
  if (value !== undefined && !words.includes(value)) refuseProperty(property, `not one of ${words.join(', ')}`);
}

function checkText(property: string, value: string | undefined): void {
  if (value !== undefined && value.length > TEXT_LENGTH_MAX) refuseProperty(property, `longer than ${TEXT_LENGTH_MAX}`);
}
