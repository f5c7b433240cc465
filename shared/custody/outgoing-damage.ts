/** What an opening finds out about streams that leave here, and notes before they go on. */
import { NO_SLOT } from '../ring/message-index.ts';
import { lossOf } from './accounts.ts';
import type { NodeStore } from './node-store.ts';
import { counterChange, endNumbers, unexplained } from './outgoing.ts';

export function mendOutgoing(store: NodeStore): void {
  offerAgain(store);
  accountForDamage(store);
}

/**
 * A medium that lied may bring back messages below `lo`: the next node has them, or what moved them is lost too. Only its cursor can
 * tell, so they are offered again. What comes back under an old incarnation of ours is moved again (rehoming.ts).
 */
function offerAgain(store: NodeStore): void {
  const { name, incarnation } = store.self;
  for (const stream of store.outgoing) {
    const head = stream.list.head;
    const first = head === NO_SLOT ? stream.lo : store.ring.index.number(head);
    const isOld = stream.key.origin === name && stream.key.incarnation !== incarnation;
    if (first >= stream.lo || isOld) continue;
    const before = stream.lo;
    stream.lo = first;
    const holes = unexplained({ ...stream, next: before }, store.ring.index).filter(({ from }) => from < before);
    for (const { from, to } of holes) {
      const noted = endNumbers(stream, { from, to: Math.min(to, before - 1), class: undefined, node: '' });
      store.commit({ metas: [noted] }, () => {});
    }
    store.commit({ metas: [counterChange(stream)] }, () => {});
  }
}

/** What the ring lost of outgoing streams becomes gaps of them, so that the destination learns what is missing and why. */
function accountForDamage(store: NodeStore): void {
  for (const stream of store.outgoing) {
    for (const { from, to } of unexplained(stream, store.ring.index)) {
      const noted = endNumbers(stream, { from, to, class: 'CORRUPT', node: store.self.name });
      store.commit({ metas: [noted, store.account(lossOf(stream.handle, 'CORRUPT', [{ from, to }]))] }, () => {});
    }
  }
}
