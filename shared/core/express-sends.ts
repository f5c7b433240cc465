/**
 * Sends of messages that are kept in memory alone (ring/express.ts): answered at once, and written down when the node is closed in order.
 * The small profile has none of it: there they are stored like any other (no-desk.ts).
 */
import { invariant } from '../assert.ts';
import type { MetaChange } from '../custody/meta-keys.ts';
import { batchOf } from '../custody/planned.ts';
import { identityText } from '../message/identity.ts';
import { PUT_BYTES } from '../ring/entry-layout.ts';
import { contentBytesMaxOf } from '../ring/geometry.ts';
import type { NewMessage } from '../ring/ring.ts';
import type { SendCall } from './blocked-sends.ts';
import type { DeskParts } from './desk-shell.ts';

export class ExpressSends {
  readonly #parts: Pick<DeskParts, 'store' | 'intake' | 'shell'>;

  constructor(parts: Pick<DeskParts, 'store' | 'intake' | 'shell'>) {
    this.#parts = parts;
  }

  /**
   * True when it is kept in memory alone. What asks for more than that is stored like any other, and so is what leaves this node or its
   * queue.
   */
  takes({ delivery, dead, position, by, sendKey, destination, properties }: SendCall): boolean {
    const asksForMore = dead !== undefined || position !== undefined || by !== undefined || sendKey !== undefined;
    if (delivery !== 'express' || asksForMore) return false;
    const { store, intake } = this.#parts;
    return store.isLocal(destination) && intake.routedOf(destination, properties) === undefined;
  }

  /**
   * What goes for it, and the words and copies that were asked for, are committed; the message takes its place now, or after the frame that
   * is being written.
   * @throws as `Intake.begin`, `Ring.takeExpress`; then nothing was planned
   */
  begin(token: number, call: SendCall): void {
    const { store, intake, shell } = this.#parts;
    const { identity, ...planned } = intake.begin(call.destination, call, 'new', 'express');
    const [message, ...puts] = planned.puts;
    invariant(message !== undefined, 'a message is the first of its own batch');
    const beside = { ...planned, puts };
    store.ring.checkExpress(message.body.length);
    if (puts.length + beside.acks.length + beside.changes.length > 0) store.commit(batchOf(beside), () => {});
    beside.settle();
    store.express.add(message.stream);
    store.ring.takeExpress(message, (slot) => store.placePlanned(slot));
    shell.answer(token, { kind: 'sent', identity: identityText(identity), durability: 'volatile' });
  }

  /** Plans to write down what is in memory alone. The ring is closed next: nobody is served any more. */
  close(): void {
    const { ring, queues } = this.#parts.store;
    const { index, geometry } = ring;
    const bytesMax = Math.floor(contentBytesMaxOf(geometry) / 2);
    let puts: NewMessage[] = [];
    let bytes = 0;
    for (const slot of ring.expressSlots()) {
      const body = ring.cachedBody(slot);
      invariant(body !== undefined, 'what is in memory alone is there');
      if (index.isListed(slot)) queues.end(slot);
      bytes += PUT_BYTES + body.length;
      if (puts.length > 0 && bytes > bytesMax) {
        this.#writeDown(puts);
        puts = [];
        bytes = PUT_BYTES + body.length;
      }
      const { kind: _kind, copy: _copy, damaged: _damaged, storedAtMs: _at, bodyOffset: _offset, ...told } = index.copyOf(slot);
      puts.push({ ...told, body });
    }
    if (puts.length > 0) this.#writeDown(puts);
  }

  /** Not through `commit`: they take their places at the next opening. */
  #writeDown(puts: readonly NewMessage[]): void {
    const { ring, streams, express, nowMs } = this.#parts.store;
    const metas = new Map<string, MetaChange>();
    for (const { stream } of puts) {
      const opened = streams.open(streams.key(stream));
      for (const change of [express.mark(stream), ...(opened?.changes ?? [])]) metas.set(change.key, change);
    }
    ring.append({ puts, metas: [...metas.values()] }, { nowMs, delayMs: 0 }, () => {});
  }
}
