/**
 * A queue as META remembers it, under `q/<id>`:
 *
 *   [name, bytesLimit, bytesReserved, whenFull, remoteWhenFull, {option => value}]
 *
 * The map holds what differs from the defaults, by the names of QueueOptions, and
 *
 *   source    "call"      its properties are those that were last set by a call; else the configuration's, or nobody's
 *   deleting  true        its messages are being ended; then the key goes
 *   parent    id          it is a subqueue of that queue, and has no properties of its own
 *
 * An option of a later version is passed over. A ring of an earlier version has the first two, or the first five. Beside these stands
 * `ids`: the highest id that was ever given, written when the key of a queue goes.
 */

import { isQueueName, parentName } from '../message/address.ts';
import type { CborInput, CborValue } from '../message/cbor.ts';
import { OPTION_WORDS } from '../queue/check-options.ts';
import { QUEUE_DEFAULTS, type QueueDefinition, type QueueOptions } from '../queue/queue-options.ts';
import type { QueueSource } from '../queue/queue-table.ts';
import type { Queue, Queues } from '../queue/queues.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValue, metaValues } from './meta-keys.ts';

const IN_FRONT = ['bytesLimit', 'bytesReserved', 'whenFull', 'remoteWhenFull'] as const;

/** Of a queue after damage: whoever defines it says it anew. */
const BYTES_LIMIT_UNKNOWN = Number.MAX_SAFE_INTEGER;
const IDS_KEY = 'ids';

export interface KeptQueue {
  readonly name: string;
  readonly definition: QueueDefinition;
  readonly source: QueueSource;
  readonly state: 'there' | 'deleting';
  /** Id of the queue that it is a part of. */
  readonly parent: number | undefined;
}

export function queueChange(
  queue: Pick<Queue, 'id' | 'name' | 'options' | 'source'>,
  state: KeptQueue['state'] = 'there',
): MetaChange {
  const { name, id, options, source } = queue;
  const others = new Map<string, CborInput>();
  if (source === 'call') others.set('source', source);
  if (state === 'deleting') others.set('deleting', true);
  for (const [key, value] of Object.entries(QUEUE_DEFAULTS)) {
    const own = options[key as keyof QueueOptions];
    if (own !== value && !IN_FRONT.some((front) => front === key)) others.set(key, own);
  }
  return metaChange(`q/${id}`, [name, ...IN_FRONT.map((key) => options[key]), others]);
}

export function subqueueChange({ id, name }: Queue, parent: Queue): MetaChange {
  return metaChange(`q/${id}`, [name, 0, 0, '', '', new Map([['parent', parent.id]])]);
}

/** These queues are no more; their ids are never given again. */
export function queuesGone(queues: Queues, gone: readonly Queue[]): MetaChange[] {
  const tombstones = gone.flatMap((queue) => queues.idsOf(queue).map((id) => metaDelete(`q/${id}`)));
  return [...tombstones, metaChange(IDS_KEY, queues.nextId - 1)];
}

/** All queues, as META remembers them. */
export function loadQueues(queues: Queues, metas: MetaTable): void {
  const kept = [...metaValues(metas, 'q/')].map(([id, value]) => ({ id: Number(id), ...readQueue(value) }));
  const isPart = ({ name }: KeptQueue) => parentName(name) !== undefined;
  // What damage left of a queue without its properties comes last, and takes those that are known.
  const whole = kept.filter((one) => !isPart(one) && isQueueName(one.name));
  whole.sort((a, b) => a.definition.bytesLimit - b.definition.bytesLimit);
  for (const { id, name, definition, source, state } of whole) {
    const before = definition.bytesLimit === BYTES_LIMIT_UNKNOWN ? queues.find(name) : undefined;
    if (state === 'deleting') queues.defineDeleting(name, { ...definition, id });
    else queues.define(name, { ...definition, source, ...before?.options, ...(before && { source: before.source }), id });
  }
  for (const { id, name, parent: parentId = 0 } of kept.filter(isPart)) {
    const parent = queues.byId(parentId) ?? queues.find(parentName(name) ?? '');
    if (parent !== undefined) queues.defineSubqueue(name, parent, id);
    // Damage took its queue: what was put aside is back in it.
    else queues.define(parentName(name) ?? '', { id, bytesLimit: BYTES_LIMIT_UNKNOWN });
  }
  const idMax = metaValue(metas, IDS_KEY);
  if (typeof idMax === 'number') queues.raiseIds(idMax);
}

export function readQueue(value: CborValue): KeptQueue {
  const fields = new MetaFields(value);
  const others: readonly (readonly [CborValue, CborValue])[] =
    Array.isArray(value) && value[5] instanceof Map ? [...value[5]] : [];
  const own = new Map(others);
  const parent = own.get('parent');
  const definition: Record<string, CborValue> = {
    ...QUEUE_DEFAULTS,
    bytesLimit: fields.number(1),
    bytesReserved: fields.number(2),
  };
  const said = [['whenFull', fields.text(3)] as const, ['remoteWhenFull', fields.text(4)] as const, ...others];
  for (const [key, one] of said) if (typeof key === 'string' && isOption(key, one)) definition[key] = one;
  return {
    name: fields.text(0),
    definition: definition as unknown as QueueOptions,
    source: own.get('source') === 'call' ? 'call' : 'use',
    state: own.get('deleting') === true ? 'deleting' : 'there',
    parent: typeof parent === 'number' ? parent : undefined,
  };
}

function isOption(key: string, value: CborValue): boolean {
  const standard = Object.entries(QUEUE_DEFAULTS).find(([known]) => known === key)?.[1];
  const words = OPTION_WORDS[key as keyof QueueOptions];
  return typeof value === typeof standard && (words === undefined || words.some((word) => word === value));
}
