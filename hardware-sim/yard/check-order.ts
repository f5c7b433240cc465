/** S4: what one node sends to one queue at one priority comes in the order in which it was accepted. */
import type { DeliveredEvent, History, Verdict } from './history.ts';
import { type HistoryIndex, indexOf, nodeOf, splitIdentity } from './history-index.ts';

/**
 * S4: within a stream messages are numbered in the order of their acceptance, and first delivered in that order to whoever reads one
 * after the other. Not judged: what was delayed, given back, or may be a repeat; streams whose ends were harmed; what a reader that
 * died may have had before (a count above 1, or a restart of the node in between).
 */
export function inOrder(history: History): Verdict {
  const index = indexOf(history);
  const numbered = numberedInOrder(index);
  const delivered = deliveredInOrder(index);
  return { violations: [...numbered.violations, ...delivered.violations], looked: delivered.looked };
}

/** A message that is sent after another one was accepted gets the higher number. */
function numberedInOrder(index: HistoryIndex): Verdict {
  const highest = new Map<string, { number: number; key: string }>();
  const before = new Map<string, { number: number; key: string }>();
  const violations: string[] = [];
  for (const event of index.history.events) {
    if (event.kind !== 'send' && event.kind !== 'accepted') continue;
    const story = index.story(event.key);
    const { lane, accepted } = story;
    if (lane === undefined || accepted === undefined || index.isHarmed(accepted.event.node)) continue;
    if (accepted.event.durability !== undefined && accepted.event.durability !== 'sync') continue;
    const own = splitIdentity(accepted.event.identity);
    if (own === undefined) continue;
    if (event.kind === 'send') {
      const last = highest.get(own.stream);
      if (last !== undefined) before.set(event.key, last);
      continue;
    }
    const earlier = before.get(event.key);
    if (earlier !== undefined && own.number <= earlier.number)
      violations.push(`${event.key} has number ${own.number}, and was sent after ${earlier.key} had ${earlier.number}`);
    if (own.number > (highest.get(own.stream)?.number ?? 0)) highest.set(own.stream, { number: own.number, key: event.key });
  }
  return { violations, looked: 0 };
}

interface Settled {
  readonly number: number;
  readonly key: string;
}

function deliveredInOrder(index: HistoryIndex): Verdict {
  const shared = sharedQueues(index);
  /** By node, then stream and reader: the highest number that a reader was done with. */
  const done = new Map<string, Map<string, Settled>>();
  const readers = new Map<string, string>();
  const seen = new Set<string>();
  const violations: string[] = [];
  let looked = 0;
  for (const event of index.history.events) {
    if (event.kind === 'opening') done.delete(event.node);
    if (event.kind === 'delivered' && event.key !== undefined) {
      readers.set(`${event.node} ${event.identity}`, event.reader ?? '');
      if (seen.has(event.key)) continue;
      seen.add(event.key);
      const own = isJudged(index, event) && !(event.reader === undefined && shared.has(`${event.node}/${event.queue}`));
      const split = own ? splitIdentity(event.identity) : undefined;
      if (split === undefined) continue;
      looked += 1;
      const later = done.get(event.node)?.get(`${split.stream} ${event.reader ?? ''}`);
      if (later !== undefined && later.number > split.number)
        violations.push(
          `${event.key} (number ${split.number}) first delivered after ${later.key} (number ${later.number}) was done with`,
        );
    }
    if (event.kind === 'acked' || event.kind === 'given-up') {
      const split = splitIdentity(event.identity);
      if (split === undefined) continue;
      const streams = done.get(event.node) ?? new Map<string, Settled>();
      const name = `${split.stream} ${readers.get(`${event.node} ${event.identity}`) ?? ''}`;
      if (split.number > (streams.get(name)?.number ?? 0)) streams.set(name, { number: split.number, key: event.key });
      done.set(event.node, streams);
    }
  }
  return { violations, looked };
}

function isJudged(index: HistoryIndex, event: DeliveredEvent): boolean {
  const story = index.story(event.key ?? '');
  const send = story.send?.event;
  if (send === undefined || send.deliverAfterMs !== undefined || event.maybeDuplicate === 'maybe') return false;
  if (event.late === 'late') return false;
  if (event.deliveryCount > 1 || story.returns.length > 0) return false;
  return !index.isHarmed(send.node) && !index.isHarmed(nodeOf(send.destination));
}

/** Queues where somebody got a message while another one was out: nobody says that one reader has them. */
function sharedQueues(index: HistoryIndex): Set<string> {
  const shared = new Set<string>();
  const out = new Map<string, Set<string>>();
  for (const event of index.history.events) {
    if (event.kind === 'opening') for (const [queue, identities] of out) if (nodeOf(queue) === event.node) identities.clear();
    if (event.kind === 'delivered') {
      const queue = `${event.node}/${event.queue}`;
      const identities = out.get(queue) ?? new Set<string>();
      identities.delete(event.identity);
      if (identities.size > 0) shared.add(queue);
      out.set(queue, identities.add(event.identity));
    }
    if (event.kind === 'acked' || event.kind === 'given-up' || event.kind === 'returned')
      for (const [queue, identities] of out) if (nodeOf(queue) === event.node) identities.delete(event.identity);
  }
  return shared;
}
