/**
 * What became of a message whose write failed. Its frame survived or it did not, and the opening decided that; a number that did not
 * survive is given out again, under another epoch, and is another message then.
 */
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { type Identity, parseIdentity } from '../message/identity.ts';
import type { SendOutcome } from './calls.ts';

/** `durable`: say so once everything that is on its way now is on the disk. */
export type Judged = { readonly outcome: SendOutcome; readonly when: 'now' | 'durable' };

const UNKNOWN: Judged = { outcome: 'unknown', when: 'now' };
const ABSENT: Judged = { outcome: 'absent', when: 'now' };

/** `epoch`: as the error named it; without it, any message that ever bore the identity counts. @throws PROPERTY_INVALID */
export function judgeOutcome(store: NodeStore, text: string, epoch: number | undefined): Judged {
  const identity = parseIdentity(text);
  if (identity === undefined) throw new RingmailError('PROPERTY_INVALID', { property: 'identity', reason: 'not an identity' });
  if (identity.origin !== store.self.name) return UNKNOWN;
  const handle = store.streams.find(identity);
  // Damage may have taken the counters back: then only a message that is there proves anything.
  if (store.ring.losses.gaps > 0)
    return handle !== undefined && isThere(store, { ...identity, handle, epoch }) ? kept() : UNKNOWN;
  if (handle === undefined) return identity.incarnation === store.self.incarnation ? ABSENT : UNKNOWN;
  const { ends, outgoing } = store;
  const next = store.isLocal(identity.destination) ? ends.destinations.get(handle)?.next : outgoing.find(handle)?.next;
  if (identity.number >= (next ?? 1)) return ABSENT;
  const given = store.firstNumbers.epochOf(handle, identity.number);
  if (epoch !== undefined && given === undefined) return UNKNOWN;
  return epoch === undefined || given === epoch ? kept(given === undefined || given === store.ring.epoch.counter) : ABSENT;
}

function kept(isNew = false): Judged {
  return { outcome: 'kept', when: isNew ? 'durable' : 'now' };
}

function isThere({ ring: { index } }: NodeStore, what: Identity & { handle: number; epoch: number | undefined }): boolean {
  for (const slot of index.slots()) {
    if (index.stream(slot) !== what.handle || index.number(slot) !== what.number) continue;
    return what.epoch === undefined || index.epochCounter(slot) === what.epoch;
  }
  return false;
}
