/** Where holes are looked at and given up: by the node when they stood too long, by the operator at once (docs/routes.md, section 2). */

import { HoleWait } from '../custody/hole-wait.ts';
import { countOf } from '../custody/holes.ts';
import { RingmailError } from '../errors.ts';
import { parseAddress } from '../message/address.ts';
import { streamText } from '../message/identity.ts';
import type { Outcome } from '../ring/ring.ts';
import type { Call, HoleStats } from './calls.ts';
import { type DeskParts, outcomeResult } from './desk-shell.ts';

type HoleCall = Call & { readonly verb: 'holes' | 'closeHoles' };

export class HoleDesk {
  readonly #parts: DeskParts;
  readonly #wait: HoleWait;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#wait = new HoleWait(parts.store, parts.shell.holeWaitMs);
  }

  /** @throws QUEUE_NOT_FOUND, NAME_INVALID, BUSY */
  call(token: number, call: HoleCall): void {
    if (call.verb === 'holes') return this.#parts.shell.answer(token, { kind: 'holes', holes: this.#list() });
    this.#close(token, call.of);
  }

  pump(): void {
    this.#wait.pump();
  }

  get wakeAtMs(): number | undefined {
    return this.#wait.wakeAtMs;
  }

  #list(): HoleStats[] {
    const { streams, ends } = this.#parts.store;
    const { destinations, aboveHoles } = ends;
    const holes: HoleStats[] = [];
    for (const [handle, { holes: open, closed }] of destinations) {
      if (open.length + closed.length === 0) continue;
      const stream = streamText(streams.key(handle));
      const waiting = open.map((hole) => ({ ...hole, state: 'open' as const, leftMs: this.#wait.leftMs(hole) }));
      const given = closed.map((range) => ({ ...range, state: 'missing' as const, leftMs: 0 }));
      const held = aboveHoles.heldCount(handle);
      for (const { from, to, state, leftMs } of [...waiting, ...given])
        holes.push({ stream, from, to, state, leftMs, held: state === 'open' && from === open[0]?.from ? held : 0 });
    }
    return holes;
  }

  /** Each stream in a frame of its own; answered when all of it is durable. */
  #close(token: number, of: string): void {
    const { shell, store } = this.#parts;
    let waiting = 1;
    let count = 0;
    let failed: Outcome | undefined;
    const done = (outcome: Outcome): void => {
      if (outcome !== 'durable') failed = outcome;
      waiting -= 1;
      if (waiting > 0) return;
      const result = { kind: 'holesClosed', count } as const;
      shell.answer(token, failed === undefined ? result : outcomeResult(store.ring, failed, result));
    };
    for (const handle of this.#handlesOf(of)) {
      const hasHoles = countOf(store.ends.destinations.get(handle)?.holes ?? []) > 0;
      if (!hasHoles) continue;
      waiting += 1;
      count += this.#wait.close(handle, () => true, done);
    }
    done('durable');
  }

  /** A stream by its text, or all that end in a queue. @throws QUEUE_NOT_FOUND, NAME_INVALID */
  #handlesOf(of: string): number[] {
    const { ends, streams, queues, self } = this.#parts.store;
    const handles = [...ends.destinations.keys()];
    if (of.includes(':')) {
      const found = handles.filter((handle) => streamText(streams.key(handle)) === of);
      if (found.length === 0) throw new RingmailError('QUEUE_NOT_FOUND', { queue: of });
      return found;
    }
    const { queue } = parseAddress(of, self.name);
    const destination = `${self.name}/${queues.get(queue).name}`;
    return handles.filter((handle) => streams.key(handle).destination === destination);
  }
}
