/** Cores that are spoilt on purpose: an exploration that finds nothing wrong with one of these would find nothing at all. */
import type { NodeStore } from '../../shared/custody/node-store.ts';
import type { CustodyReceiver, ReceiverSession } from '../../shared/custody/receiver.ts';
import type { CustodySender } from '../../shared/custody/sender.ts';
import { type StreamKey, streamText } from '../../shared/message/identity.ts';
import { hidden } from './hidden.ts';
import type { MemoryRing } from './memory-ring.ts';

/** A node's core, as it was made and before it serves. */
export interface Core {
  readonly ring: MemoryRing;
  readonly store: NodeStore;
  readonly sender: CustodySender;
  readonly receiver: CustodyReceiver;
}

export type Weakening = (core: Core) => void;

interface Cursor {
  planned: number;
  durable: number;
  readonly key: StreamKey;
}
interface Neighbour {
  readonly ticket: Uint8Array;
  readonly cursors: Map<string, Cursor>;
}

const CREDIT = 1_000_000;

/** By name: `npm run explore -- --weaken NAME`, and the negative controls among the tests. */
export const WEAKENINGS: Readonly<Record<string, Weakening>> = {
  /** New or repeat is judged by the durable cursor, here and at the destination. */
  'accept-against-durable': ({ receiver, store }) => {
    const item = receiver.item.bind(receiver);
    receiver.item = (session, at, whenDurable) => {
      for (const cursor of cursorsOf(receiver)) {
        cursor.planned = cursor.durable;
        const handle = store.streams.find(cursor.key) ?? 0;
        const destination = store.ends.destinations.get(handle);
        if (destination !== undefined) store.ends.destinations.set(handle, { ...destination, next: cursor.durable });
      }
      return item(session, at, whenDurable);
    };
  },
  /** The planned cursor is told. */
  'acknowledge-before-durable': ({ receiver }) => {
    const cursorOf = receiver.cursorOf.bind(receiver);
    receiver.cursorOf = (session, stream) => {
      const neighbour = hidden<Map<ReceiverSession, Neighbour>>(receiver, 'sessions').get(session);
      const told = cursorOf(session, stream);
      return { ...told, cursor: neighbour?.cursors.get(streamText(stream))?.planned ?? told.cursor };
    };
  },
  /** What was given up is forgotten: who comes late brings a repeat. */
  'closed-holes-forgotten': ({ store }) => {
    const set = store.ends.destinations.set.bind(store.ends.destinations);
    store.ends.destinations.set = (handle, destination) => set(handle, { ...destination, closed: [] });
  },
  /** An item above the cursor is taken as if it stood there. */
  'accept-out-of-sequence': ({ receiver }) => {
    const item = receiver.item.bind(receiver);
    receiver.item = (session, at, whenDurable) => {
      const neighbour = hidden<Map<ReceiverSession, Neighbour>>(receiver, 'sessions').get(session);
      const cursor = neighbour?.cursors.get(streamText(at.stream));
      if (cursor !== undefined && at.item.number > cursor.planned) cursor.planned = at.item.number;
      return item(session, at, whenDurable);
    };
  },
  /** Whatever ticket is shown is the right one. */
  'no-ticket-check': ({ receiver }) => {
    const offered = receiver.offered.bind(receiver);
    receiver.offered = (offer) => {
      const known = neighboursOf(receiver).get(`${offer.sender}:${offer.incarnation}`);
      return offered({ ...offer, ticket: known?.ticket ?? offer.ticket, own: 'in-part' });
    };
  },
  /** Streams that a store knows nothing of any more are not missed. */
  'no-whole-check': ({ receiver }) => {
    const offered = receiver.offered.bind(receiver);
    receiver.offered = (offer) => offered({ ...offer, own: 'in-part' });
  },
  /** A cursor may be beyond what was ever handed over. */
  'no-sent-check': ({ sender }) => {
    hidden<Map<number, number>>(sender, 'sent').get = () => Number.MAX_SAFE_INTEGER;
  },
  /** What was handed over is freed, as if that were custody. */
  'free-when-sent': ({ sender }) => {
    const take = sender.take.bind(sender);
    sender.take = (stream) => {
      const taken = take(stream);
      if (taken.kind === 'item') sender.acknowledged(stream.key, stream.send, CREDIT);
      return taken;
    };
  },
  /** Nothing is ever handed over. */
  'never-hands-over': ({ sender }) => {
    sender.take = () => ({ kind: 'nothing' });
  },
  /** The disk says durable when a frame begins. */
  'lying-disk': ({ ring }) => ring.lie(),
};

function neighboursOf(receiver: CustodyReceiver): Map<string, Neighbour> {
  return hidden<Map<string, Neighbour>>(receiver, 'neighbours');
}

function* cursorsOf(receiver: CustodyReceiver): Generator<Cursor> {
  for (const neighbour of neighboursOf(receiver).values()) yield* neighbour.cursors.values();
}
