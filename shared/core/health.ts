/** Health means progress: what waits for another node and does not move is red, with the cause. */
import { isUp, UP } from '../custody/hops.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { CustodySender } from '../custody/sender.ts';
import type { Health, HealthCode } from './calls.ts';
import { NO_CARRIERS, type NodeCarriers } from './node-carriers.ts';

/** This long may a backlog stand still before it is called red. Above the longest ordinary reconnect (10 s) and sync (10 s). */
export const PROGRESS_MS_MAX = 60_000;
/** Between two looks at what moves. */
const LOOK_MS = 1_000;
/** Who answered twice is remembered so long: the next session asks again. */
const TWINS_MS = 600_000;
/** Above this share of the room that is nobody's reserve in use the ring is called full: senders are about to be refused. */
const FULL_SHARE = 0.95;

interface Cause {
  readonly code: HealthCode;
  readonly detail: string;
}

/** What a way out of the node has freed, and since when it stands still with something to hand over. */
interface Progress {
  readonly freedCount: number;
  readonly isAway: boolean;
  readonly movedAtMs: number;
}

export class HealthWatch {
  readonly #store: NodeStore;
  readonly #carriers: NodeCarriers;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  readonly #progress = new Map<CustodySender, Progress>();

  constructor(store: NodeStore, carriers: NodeCarriers) {
    this.#store = store;
    this.#carriers = carriers;
  }

  pump(nowMs: number): void {
    if (nowMs < this.#lookedAtMs + LOOK_MS) return;
    const sinceMs = Number.isFinite(this.#lookedAtMs) ? nowMs - this.#lookedAtMs : 0;
    this.#lookedAtMs = nowMs;
    for (const sender of this.#carriers.senders) {
      const before = this.#progress.get(sender);
      const { freedCount } = sender;
      const isAway = isAwayBelow(sender);
      const stands = before !== undefined && before.freedCount === freedCount && !before.isAway && !isAway;
      if (!stands || sender.heldCount === 0) {
        sender.trouble = undefined;
        this.#progress.set(sender, { freedCount, isAway, movedAtMs: nowMs });
      }
      // The time in which the cap of its uplink held it back is nobody's fault, and does not count.
      else if (sender.isHeldBack) this.#progress.set(sender, { ...before, movedAtMs: before.movedAtMs + sinceMs });
    }
  }

  health(nowMs: number): Health {
    const causes: Cause[] = [];
    if (this.#carriers.isForked)
      causes.push({ code: 'FORKED', detail: 'the receiver knows more of this store than it ever sent' });
    causes.push(...ownCauses(this.#store));
    const astray = this.#carriers === NO_CARRIERS ? 0 : this.#astrayCount();
    if (astray > 0) causes.push({ code: 'UPLINK_DOWN', detail: `${astray} messages wait for nodes that no uplink leads to` });
    const { belowCountMax, directory } = this.#store.hops;
    const turnedAway = directory.turnedAway.size;
    if (turnedAway > 0)
      causes.push({ code: 'BELOW_FULL', detail: `${turnedAway} nodes below are not reached: ${belowCountMax} are, and no more` });
    for (const [sender, { movedAtMs, freedCount }] of this.#progress) {
      causes.push(...twinsOf(sender, nowMs));
      const stillMs = nowMs - movedAtMs;
      if (stillMs <= PROGRESS_MS_MAX || isAwayBelow(sender)) continue;
      if (sender.freedCount !== freedCount || sender.heldCount === 0) continue;
      const code = sender.state === 'ready' ? 'NO_PROGRESS' : 'UPLINK_DOWN';
      const whither = sender.hop === UP ? '' : ` on the way ${sender.hop}`;
      causes.push({
        code,
        detail: `${sender.heldCount} messages wait${whither}, none moved for ${Math.round(stillMs / 1000)} s${said(sender)}`,
      });
    }
    return { status: causes.length === 0 ? 'green' : 'red', causes };
  }

  /** Messages that were taken when an uplink led to their node, and none does any more. */
  #astrayCount(): number {
    const { outgoing, hops } = this.#store;
    let count = 0;
    for (const out of outgoing) if (out.list.count > 0 && hops.of(out) === undefined) count += out.list.count;
    return count;
  }
}

/** What a node by itself may turn red for. */
export function ownCauses({ ring, room }: NodeStore): Cause[] {
  const causes: Cause[] = [];
  if (ring.report.gaps.length > 0)
    causes.push({ code: 'RING_DAMAGED', detail: `${ring.report.gaps.length} gaps found at opening` });
  if (ring.corruptCount > 0)
    causes.push({ code: 'CORRUPT_MESSAGES', detail: `${ring.corruptCount} bodies failed their checksum` });
  const { used, max } = room.shared;
  if (used > max * FULL_SHARE) causes.push({ code: 'RING_FULL', detail: `${used} of ${max} bytes for messages` });
  return causes;
}

function twinsOf({ twins, receiver }: CustodySender, nowMs: number): Cause[] {
  if (twins === undefined || nowMs - twins.atMs > TWINS_MS) return [];
  return [{ code: 'TWO_RECEIVERS', detail: `two stores answer for ${receiver}: ${twins.incarnations.join(' and ')}` }];
}

function said({ trouble }: CustodySender): string {
  return trouble === undefined ? '' : `; the broker: ${trouble}`;
}

/** A node below that is away is none of our troubles. One that is there and never answers our offer is. */
function isAwayBelow({ hop, state }: Pick<CustodySender, 'hop' | 'state'>): boolean {
  return !isUp(hop) && state === 'idle';
}
