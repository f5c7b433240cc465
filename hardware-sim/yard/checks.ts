/** The promises that a run of the yard is held to, and the functions that hold it to them (docs/reliability.md). */
import { copiesAreKept } from './check-copies.ts';
import { booksAgree, nothingLetGo, yesIsDurable } from './check-custody.ts';
import { noDuplicateEffect, noLoss, noPhantom } from './check-delivery.ts';
import { boundsHold, damageIsTold, identitiesHold, stopsAreExplained } from './check-integrity.ts';
import { comesBackInTime, everythingDrains, noStorm, theDeadHoldUpNobody } from './check-liveness.ts';
import { memoryIsKept } from './check-memory.ts';
import { inOrder } from './check-order.ts';
import { pausedQueuesRest } from './check-paused.ts';
import { deadLettersAreKept, urgentFirst } from './check-queues.ts';
import { timesAreKept } from './check-time.ts';
import { transactionsAreWhole } from './check-transactions.ts';
import { wordsAreTrue } from './check-words.ts';
import type { Check, History, Violation } from './history.ts';

export interface NamedCheck {
  /** S1…S19 of safety, L1…L4 of liveness. */
  readonly id: string;
  readonly promise: string;
  readonly check: Check;
}

export const CHECKS: readonly NamedCheck[] = [
  { id: 'S1', promise: 'Every accepted message ends in exactly one way, and somebody knows which.', check: noLoss },
  { id: 'S2', promise: 'What arrives was sent: these bytes, to this queue, at this priority.', check: noPhantom },
  { id: 'S3', promise: 'An effect happens once, unless the message says that it may be a repeat.', check: noDuplicateEffect },
  { id: 'S4', promise: 'What one node sends to one queue at one priority comes in the order of its acceptance.', check: inOrder },
  { id: 'S5', promise: 'At rest the numbers that nodes give of themselves are what happened.', check: booksAgree },
  { id: 'S6', promise: 'What was answered survives a power cut at that instant.', check: yesIsDurable },
  { id: 'S7', promise: 'A node lets go of a message only when another one has it, or it has ended.', check: nothingLetGo },
  {
    id: 'S8',
    promise: 'No message expires or is delivered before its time, nor is delivered once it has expired.',
    check: timesAreKept,
  },
  {
    id: 'S9',
    promise: 'What is given up has its letter, or its account where it wants none, and deliveries are counted over restarts.',
    check: deadLettersAreKept,
  },
  { id: 'S10', promise: 'Of a transaction all is visible, or nothing.', check: transactionsAreWhole },
  { id: 'S11', promise: 'The more urgent message goes first, and the least urgent goes too.', check: urgentFirst },
  { id: 'S12', promise: 'An identity belongs to one message, and a message has one identity.', check: identitiesHold },
  { id: 'S13', promise: 'Damage is told and never delivered.', check: damageIsTold },
  { id: 'S14', promise: 'Rings, queues, lines and waiting rooms stay within their bounds.', check: boundsHold },
  {
    id: 'S15',
    promise: 'A store stops only for a reason that was given to it, and no assertion fires.',
    check: stopsAreExplained,
  },
  { id: 'S16', promise: 'What lies in memory only is lost with its node, and never otherwise.', check: memoryIsKept },
  { id: 'S17', promise: 'Journals have a copy of what they are to keep, once; their oldest go, counted.', check: copiesAreKept },
  { id: 'S18', promise: 'What senders are told of a message is true, and told once.', check: wordsAreTrue },
  { id: 'S19', promise: 'A paused queue hands out nothing, and stays paused over restarts.', check: pausedQueuesRest },
  {
    id: 'L1',
    promise: 'Once the trouble is over everything ends, in the time that the slowest line takes.',
    check: everythingDrains,
  },
  { id: 'L2', promise: 'Dead nodes hold up nobody else.', check: theDeadHoldUpNobody },
  { id: 'L3', promise: 'What crosses lines and broker is in proportion to what is delivered.', check: noStorm },
  { id: 'L4', promise: 'A node serves again in the time that its ring and its disk take.', check: comesBackInTime },
];

/** Holds a history to all promises. `looked` says, for each, how often there was something to look at; 0 is not exercised. */
export function judge(history: History): { violations: Violation[]; looked: ReadonlyMap<string, number> } {
  const violations: Violation[] = [];
  const looked = new Map<string, number>();
  for (const { id, check } of CHECKS) {
    const verdict = check(history);
    looked.set(id, verdict.looked);
    for (const text of verdict.violations) violations.push({ check: id, text });
  }
  return { violations, looked };
}
