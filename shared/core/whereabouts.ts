/**
 * Where a message is, as one node knows it.
 *
 *   ready, leased, delayed, held   in its queue here (held: above a hole, docs/routes.md, section 2)
 *   on-its-way                     on this disk, for `next`
 *   handed-over                    `next` has it on its disk, or had it
 *   received                       it ended here, and no message of its stream was ever lost here
 *   ended                          it ended here; `losses` are those of its stream, so it was received or is one of them
 *   absent                         it has not come here
 *   unknown                        nothing is known of its stream
 */

import { NO_NUMBERS, placeOf } from '../custody/holes.ts';
import type { Hop } from '../custody/hops.ts';
import { isUp } from '../custody/hops.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { OutStream } from '../custody/outgoing.ts';
import { type Identity, streamText } from '../message/identity.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { ProbeAnswer } from './calls.ts';

export type Whereabouts = Pick<ProbeAnswer, 'next' | 'losses'> & {
  readonly at: Exclude<ProbeAnswer['at'], 'passed' | 'reached'>;
};

const PLACES: readonly ProbeAnswer['at'][] = ['ready', 'leased', 'delayed', 'held', 'on-its-way', 'received', 'ended'];

/** The message is there, or has ended: nobody else need be asked. */
export function isPlace(at: ProbeAnswer['at']): boolean {
  return PLACES.includes(at);
}

/** `neighbourOn`: the node at the other end of a way, '' as long as it is not known. */
export function whereabouts(store: NodeStore, identity: Identity, neighbourOn: (hop: Hop) => string): Whereabouts {
  const handle = store.streams.find(identity);
  if (handle === undefined) return { at: store.isLocal(identity.destination) ? 'absent' : 'unknown' };
  const slot = slotOf(store, handle, identity.number);
  if (store.isLocal(identity.destination)) return inQueue(store, identity, { handle, slot });
  const out = store.outgoing.find(handle);
  if (out === undefined) return { at: 'unknown' };
  const next = nextOf(store, out, neighbourOn);
  if (slot !== NO_SLOT) return { at: 'on-its-way', next };
  const gap = out.gaps.find(({ from, to }) => from <= identity.number && identity.number <= to);
  if (gap?.class !== undefined) return { at: 'ended', losses: [`${gap.class} ${to(gap)}`] };
  if (identity.number >= out.next) return { at: 'absent' };
  return { at: 'handed-over', next };
}

function inQueue(
  store: NodeStore,
  identity: Identity,
  { handle, slot }: { readonly handle: number; readonly slot: number },
): Whereabouts {
  const { index } = store.ring;
  if (slot !== NO_SLOT) {
    if (index.isListed(slot)) return { at: 'ready' };
    if (store.queues.isHeld(index.id(slot))) return { at: 'held' };
    return { at: index.notBeforeMs(slot) > store.queueTimeMs ? 'delayed' : 'leased' };
  }
  const place = placeOf(store.ends.destinations.get(handle) ?? NO_NUMBERS, identity.number);
  if (place === 'new' || place === 'fills') return { at: 'absent' };
  if (place === 'late') return { at: 'ended', losses: ['MISSING'] };
  const text = streamText(identity);
  const losses = store.accounts().filter(({ stream }) => streamText(stream) === text);
  if (losses.length === 0) return { at: 'received' };
  return { at: 'ended', losses: losses.map(({ class: ending, count }) => `${ending} ${count}`) };
}

function to({ from, to: last, node }: { readonly from: number; readonly to: number; readonly node: string }): string {
  return `${from} to ${last} at ${node}`;
}

function nextOf(store: NodeStore, out: OutStream, neighbourOn: (hop: Hop) => string): string {
  const hop = store.hops.of(out);
  if (hop === undefined) return '';
  return isUp(hop) ? neighbourOn(hop) : hop.slice('down/'.length);
}

function slotOf({ ring: { index } }: NodeStore, handle: number, number: number): number {
  for (const slot of index.slots()) if (index.stream(slot) === handle && index.number(slot) === number) return slot;
  return NO_SLOT;
}

/** In one word, from what nodes said: the answer that is furthest on its way wins. */
export function custodyOf(answers: readonly ProbeAnswer[]): string {
  const rank = ({ at }: ProbeAnswer): number => (isPlace(at) ? 2 : at === 'handed-over' ? 1 : 0);
  let furthest: ProbeAnswer | undefined;
  for (const answer of answers) if (rank(answer) > 0 && (!furthest || rank(answer) >= rank(furthest))) furthest = answer;
  if (furthest === undefined) return 'unknown';
  const { at, node, next } = furthest;
  if (at === 'received' || at === 'ended') return at;
  return at === 'handed-over' ? `handed-over@${next ?? ''}` : `stored@${node}`;
}
