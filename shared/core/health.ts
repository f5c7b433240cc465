/** Health means progress: what waits for another node and does not move is red, with the cause. */
import type { NodeStore } from '../custody/node-store.ts';
import type { Health, HealthCode } from './calls.ts';
import type { Carriers } from './carriers.ts';

/** This long may a backlog stand still before it is called red. Above the longest ordinary reconnect (10 s) and sync (10 s). */
export const PROGRESS_MS_MAX = 60_000;
/** Above this share of the room that is nobody's reserve in use the ring is called full: senders are about to be refused. */
const FULL_SHARE = 0.95;

export class HealthWatch {
  readonly #store: NodeStore;
  readonly #carriers: Carriers;
  #freedCount = 0;
  #movedAtMs: number | undefined;

  constructor(store: NodeStore, carriers: Carriers) {
    this.#store = store;
    this.#carriers = carriers;
  }

  pump(nowMs: number): void {
    const { sender } = this.#carriers;
    if (this.#movedAtMs === undefined || sender.freedCount !== this.#freedCount || this.#store.outgoing.count === 0)
      this.#movedAtMs = nowMs;
    this.#freedCount = sender.freedCount;
  }

  health(nowMs: number): Health {
    const causes: { code: HealthCode; detail: string }[] = [];
    const { ring, room, outgoing } = this.#store;
    const stillMs = nowMs - (this.#movedAtMs ?? nowMs);
    if (this.#carriers.isForked)
      causes.push({ code: 'FORKED', detail: 'the receiver knows more of this store than it ever sent' });
    if (ring.report.gaps.length > 0)
      causes.push({ code: 'RING_DAMAGED', detail: `${ring.report.gaps.length} gaps found at opening` });
    if (ring.corruptCount > 0)
      causes.push({ code: 'CORRUPT_MESSAGES', detail: `${ring.corruptCount} bodies failed their checksum` });
    const { used, max } = room.shared;
    if (used > max * FULL_SHARE) causes.push({ code: 'RING_FULL', detail: `${used} of ${max} bytes for messages` });
    if (outgoing.count > 0 && stillMs > PROGRESS_MS_MAX) {
      const code = this.#carriers.sender.state === 'ready' ? 'NO_PROGRESS' : 'UPLINK_DOWN';
      causes.push({ code, detail: `${outgoing.count} messages wait, none moved for ${Math.round(stillMs / 1000)} s` });
    }
    return { status: causes.length === 0 ? 'green' : 'red', causes };
  }
}
