/**
 * Where messages are handed in. A send is answered when its frame is on the disk or, with durability `interval`, at once. Where there
 * is no room and the queue blocks, it waits in order of arrival: nobody overtakes, and who has waited long enough is told QUEUE_FULL.
 */
import type { Intake } from '../custody/intake.ts';
import type { MetaChange } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { isSystemQueue, parseAddress, TOPIC_QUEUE } from '../message/address.ts';
import { identityText } from '../message/identity.ts';
import { checkProperties } from '../message/message.ts';
import { isTopicDestination } from '../message/topic-destination.ts';
import { drops } from '../queue/queue-options.ts';
import type { Outcome } from '../ring/ring.ts';
import { type BlockedSend, BlockedSends, type SendCall } from './blocked-sends.ts';
import type { CallResult } from './calls.ts';
import { boundedMs, type DeskParts, type DeskShell, outcomeResult } from './desk-shell.ts';
import type { MoreDesks } from './no-desk.ts';

const NOTHING: readonly MetaChange[] = [];

export class SendDesk {
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #shell: DeskShell;
  readonly #repeats: DeskParts['repeats'];
  readonly #express: InstanceType<MoreDesks['ExpressSends']>;
  readonly #blocked = new BlockedSends();

  constructor({ store, intake, shell, repeats, express }: DeskParts) {
    this.#express = express;
    this.#store = store;
    this.#intake = intake;
    this.#shell = shell;
    this.#repeats = repeats;
  }

  /** @throws whatever refuses it; then nothing was written and nobody waits */
  send(token: number, call: SendCall): void {
    checkProperties(call.properties);
    if (call.dead === undefined) checkDestination(call.destination);
    if (this.#repeats.answers(token, call)) return;
    const waitMs = boundedMs(call.waitMs ?? this.#shell.blockMs);
    const queue = this.#queueOf(call);
    const first = this.#blocked.first(queue);
    const refusal = first?.refusal ?? this.#refused(token, call);
    if (refusal === undefined) return;
    if (waitMs === 0 || hasCode(refusal, 'BUSY') || !(first !== undefined || this.#mayWait(queue, refusal))) throw refusal;
    this.#blocked.add(queue, { token, call, deadlineMs: this.#store.nowMs + waitMs, refusal });
  }

  /** What somebody who waits for room at this destination would be told now: whoever does not wait is not let in before. */
  refusalAt(destination: string): RingmailError | undefined {
    const { node, queue } = parseAddress(destination, this.#store.self.name);
    return node === this.#store.self.name ? this.#blocked.first(queue)?.refusal : undefined;
  }

  /** Nobody waits for this answer any more: what still waits for room is not sent. */
  cancel(token: number): void {
    this.#blocked.take((send) => send.token === token);
  }

  /** Sends what has room by now; refuses what waited long enough. */
  pump(nowMs: number): void {
    if (this.#blocked.isEmpty) return;
    for (const { token, refusal } of this.#blocked.take(({ deadlineMs }) => deadlineMs <= nowMs)) this.#refuse(token, refusal);
    for (const queue of this.#blocked.queues()) {
      for (let first = this.#blocked.first(queue); first && this.#goesNow(first); first = this.#blocked.first(queue)) {
        const { token } = first;
        this.#blocked.take((send) => send.token === token);
      }
    }
  }

  /** Answers all that wait: nothing of them was written. */
  close(): void {
    const error = new RingmailError('NODE_STOPPED', { reason: 'closing' });
    for (const { token } of this.#blocked.take(() => true)) this.#refuse(token, error);
  }

  /** Senders that wait for room in a queue. */
  blockedIn(queue: string): number {
    return this.#blocked.countIn(queue);
  }

  get wakeAtMs(): number | undefined {
    return this.#blocked.nextDeadlineMs;
  }

  /** @throws as `Intake.begin`, `Ring.append`; then nothing was planned */
  #begin(token: number, call: SendCall): void {
    if (this.#express.takes(call)) return this.#express.begin(token, call);
    const content = { body: call.body, properties: call.properties };
    const planned =
      call.dead === undefined ? this.#intake.begin(call.destination, content) : this.#intake.beginDead(content, call.dead);
    const isRemembered = call.by !== undefined || call.sendKey !== undefined;
    const remembered = isRemembered ? this.#repeats.plan(call, { kind: 'sent', identities: [planned.identity] }) : NOTHING;
    const more = call.position === undefined ? remembered : [this.#intake.position(call.position), ...remembered];
    const metas = more.length === 0 ? planned.changes : [...planned.changes, ...more];
    const batch = { puts: planned.puts, acks: planned.acks, metas };
    const identity = identityText(planned.identity);
    // The source of an adapter is told too, and lets go of what it sent, and a producer counts on: that waits for the disk whatever the mode.
    const isTold = call.position !== undefined || call.by !== undefined || call.answer === 'disk';
    const intervalMs = isTold ? undefined : this.#shell.intervalMs;
    const durability = this.#shell.durability();
    const isLater = intervalMs !== undefined && durability !== 'volatile';
    const sent: CallResult = { kind: 'sent', identity, durability: isLater ? 'interval' : durability };
    let over: ((outcome: Outcome) => void) | undefined;
    this.#store.commit(
      batch,
      (outcome) => {
        if (intervalMs === undefined) this.#shell.answer(token, outcomeResult(this.#store.ring, outcome, sent));
        over?.(outcome);
      },
      intervalMs ?? 0,
    );
    planned.settle();
    if (isRemembered) over = this.#repeats.planned(call, [planned.identity], sent);
    if (intervalMs !== undefined) this.#shell.answer(token, sent);
  }

  /** True when it need not wait any longer: it is sent, or refused for another reason. */
  #goesNow(send: BlockedSend): boolean {
    const { token, call } = send;
    const queue = this.#queueOf(call);
    const isBlocking = this.#store.queues.find(queue)?.options.whenFull === 'block';
    try {
      if (this.#repeats.answers(token, call)) return true;
      if (isBlocking && this.#intake.isFullFor(call.destination, call.body.length)) return false;
      const refusal = this.#refused(token, call);
      if (refusal === undefined) return true;
      if (hasCode(refusal, 'QUEUE_FULL')) send.refusal = refusal;
      if (hasCode(refusal, 'BUSY') || this.#mayWait(queue, refusal)) return false;
      this.#refuse(token, refusal);
      return true;
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#refuse(token, error);
      return true;
    }
  }

  /** Undefined when it is sent; QUEUE_FULL or BUSY when there is no room, or none now. Any other error is thrown. */
  #refused(token: number, call: SendCall): RingmailError | undefined {
    try {
      this.#begin(token, call);
      return undefined;
    } catch (error) {
      if (hasCode(error, 'QUEUE_FULL') || hasCode(error, 'BUSY')) return error;
      throw error;
    }
  }

  #refuse(token: number, error: RingmailError): void {
    this.#shell.answer(token, { kind: 'error', error });
  }

  /** '' for what leaves this node, and for dead letters: neither blocks. */
  #queueOf(call: SendCall): string {
    const { self } = this.#store;
    if (call.dead !== undefined) return '';
    const address = this.#intake.addressOf(call.destination);
    return address.node === self.name ? address.queue : '';
  }

  /** Where a queue drops, room may be on its way: whoever found it taken waits for one frame. It may be the queue that a route leads to. */
  #mayWait(queue: string, refusal: RingmailError): boolean {
    const full = (hasCode(refusal, 'QUEUE_FULL') && refusal.details.queue) || queue;
    const whenFull = this.#store.queues.find(full)?.options.whenFull;
    return whenFull === 'block' || (drops(whenFull) && this.#store.room.isMoving);
  }
}

/**
 * Applications send to queues with a name of their own: the system queues are filled by the node, subqueues by moves.
 * @throws ACCESS_MODE_INVALID
 */
export function checkDestination(destination: string): void {
  // Nearly all that are sent have none of the three.
  if (!destination.includes('$') && !destination.includes(';') && !destination.includes(':')) return;
  const queue = destination.split('/').at(-1) ?? '';
  const isSubqueue = queue.includes(';');
  if (isTopicDestination(destination))
    throw new RingmailError('ACCESS_MODE_INVALID', { queue: TOPIC_QUEUE, needed: 'send', reason: 'only routes lead to topics' });
  if (!isSubqueue && !isSystemQueue(queue)) return;
  const reason = isSubqueue ? 'a subqueue is filled by moves' : 'a system queue is filled by the node';
  throw new RingmailError('ACCESS_MODE_INVALID', { queue, needed: 'send', reason });
}
