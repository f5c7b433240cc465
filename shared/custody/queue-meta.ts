/**
 * A queue as META remembers it, under `q/<id>`:
 *
 *   [name, bytesLimit, bytesReserved, whenFull, remoteWhenFull, {option => value}]
 *
 * The map holds what differs from the defaults, by the names of QueueOptions; an option of a later version is passed over. A ring of
 * an earlier version has the first two, or the first five.
 */
import type { CborInput, CborValue } from '../message/cbor.ts';
import {
  JOURNAL,
  ORDERING,
  QUEUE_DEFAULTS,
  QUEUE_STATE,
  type QueueDefinition,
  type QueueOptions,
  REMOTE_WHEN_FULL,
  WHEN_FULL,
} from '../queue/queue-options.ts';
import { type MetaChange, MetaFields, metaChange } from './meta-keys.ts';

/** Of each option the words that it takes; the others are numbers or free text, as their defaults are. */
export const OPTION_WORDS: Partial<Record<keyof QueueOptions, readonly string[]>> = {
  whenFull: WHEN_FULL,
  remoteWhenFull: REMOTE_WHEN_FULL,
  ordering: ORDERING,
  state: QUEUE_STATE,
  journal: JOURNAL,
};
const IN_FRONT = ['bytesLimit', 'bytesReserved', 'whenFull', 'remoteWhenFull'] as const;

export function queueChange(queue: { readonly id: number; readonly name: string; readonly options: QueueOptions }): MetaChange {
  const { name, id, options } = queue;
  const others = new Map<string, CborInput>();
  for (const [key, value] of Object.entries(QUEUE_DEFAULTS)) {
    const own = options[key as keyof QueueOptions];
    if (own !== value && !IN_FRONT.some((front) => front === key)) others.set(key, own);
  }
  return metaChange(`q/${id}`, [name, ...IN_FRONT.map((key) => options[key]), others]);
}

export function readQueue(value: CborValue): { readonly name: string; readonly definition: QueueDefinition } {
  const fields = new MetaFields(value);
  const others: readonly (readonly [CborValue, CborValue])[] =
    Array.isArray(value) && value[5] instanceof Map ? [...value[5]] : [];
  const definition: Record<string, CborValue> = {
    ...QUEUE_DEFAULTS,
    bytesLimit: fields.number(1),
    bytesReserved: fields.number(2),
  };
  const said = [['whenFull', fields.text(3)] as const, ['remoteWhenFull', fields.text(4)] as const, ...others];
  for (const [key, own] of said) if (typeof key === 'string' && isOption(key, own)) definition[key] = own;
  return { name: fields.text(0), definition: definition as unknown as QueueOptions };
}

function isOption(key: string, value: CborValue): boolean {
  const standard = Object.entries(QUEUE_DEFAULTS).find(([known]) => known === key)?.[1];
  const words = OPTION_WORDS[key as keyof QueueOptions];
  return typeof value === typeof standard && (words === undefined || words.some((word) => word === value));
}
