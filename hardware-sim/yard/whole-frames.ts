/**
 * Watches what must become durable together: a message that ends, and those that are sent in its place, by a transaction or a redrive.
 * Every frame is looked at, and every disk that is opened after a crash.
 *
 *   asked ──▶ a frame brings any of it, or ends the message: told as `together`, and asked for no more
 *         └──▶ a recovered disk has any of it: the same
 *
 * It only tells; what is whole is judged by check-transactions.ts.
 */
import type { Changes, Held } from './durable-view.ts';
import type { TogetherEvent } from './history.ts';

/** What belongs together at a node. */
export interface Whole {
  readonly node: string;
  readonly key: string;
  readonly identity: string;
  /** Keys of what is sent. */
  readonly sent: readonly string[];
  readonly by: TogetherEvent['by'];
}

/** Of a disk. */
interface Known {
  /** The message that ends, where it lies on the disk. */
  readonly source: Held | undefined;
  readonly has: (key: string) => boolean;
}

export class WholeFrames {
  readonly #open = new Map<string, Whole[]>();
  readonly #tell: (event: TogetherEvent) => void;

  constructor(tell: (event: TogetherEvent) => void) {
    this.#tell = tell;
  }

  /** From now on, until it is there. Asked again, it is the same. */
  ask(whole: Whole): void {
    const open = this.#open.get(whole.node) ?? [];
    const others = open.filter(({ identity }) => identity !== whole.identity);
    this.#open.set(whole.node, [...others, whole]);
  }

  /** A frame is durable. `known`: as the disk is now. */
  wrote(node: string, { brought, ended }: Changes, known: (whole: Whole) => Known): void {
    const open = this.#open.get(node);
    if (open === undefined || open.length === 0 || (brought.length === 0 && ended.length === 0)) return;
    for (const whole of open) {
      const there = whole.sent.filter((key) => brought.some((held) => held.key === key));
      const end = ended.find(({ held, reason }) => isSource(whole, held) && reason === REASONS[whole.by]);
      if (there.length === 0 && end === undefined) continue;
      const stays = end === undefined && known(whole).source !== undefined;
      this.#told(whole, { there, source: end !== undefined ? 'ended' : stays ? 'stays' : 'not on the disk', seen: 'frame' });
    }
  }

  /** A disk was opened. What it has of a whole that no frame was seen to bring was in the write that was cut short. */
  found(node: string, known: (whole: Whole) => Known): void {
    for (const whole of this.#open.get(node) ?? []) {
      const { source, has } = known(whole);
      const there = whole.sent.filter(has);
      if (there.length > 0)
        this.#told(whole, { there, source: source === undefined ? 'not on the disk' : 'stays', seen: 'recovery' });
    }
  }

  /** Nobody can be asked for what this disk had. */
  forget(node: string): void {
    this.#open.delete(node);
  }

  #told(whole: Whole, how: Pick<TogetherEvent, 'there' | 'source' | 'seen'>): void {
    const { node } = whole;
    this.#open.set(
      node,
      (this.#open.get(node) ?? []).filter((one) => one !== whole),
    );
    this.#tell({ kind: 'together', ...whole, ...how });
  }
}

/** As which a message ends that another one takes the place of. */
const REASONS = { transaction: 'acknowledged', redrive: 'replaced', route: 'acknowledged' } as const;

function isSource({ key, identity }: Whole, held: Held): boolean {
  return held.key === key && held.number === numberOf(identity);
}

function numberOf(identity: string): number {
  return Number(identity.slice(identity.lastIndexOf(':') + 1));
}
