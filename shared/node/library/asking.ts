/** Asking a node for one kind of answer. */
import type { Call, CallResult } from '../../core/calls.ts';
import { RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';

type Kind = Exclude<CallResult['kind'], 'error'>;
type Answer<K extends Kind> = Extract<CallResult, { kind: K }>;

/** The answer, which is of this kind. @throws NODE_STOPPED when the wait for it was aborted, TypeError for a node that breaks its word */
export async function ask<K extends Kind>(node: NodeCalls, call: Call, kind: K): Promise<Answer<K>> {
  return answerOf(await node.call(call), call.verb, kind);
}

/** What a node said, as an answer of this kind. @throws as `ask` */
export function answerOf<K extends Kind>(result: Exclude<CallResult, { kind: 'error' }>, verb: Call['verb'], kind: K): Answer<K> {
  if (result.kind === kind) return result as Answer<K>;
  if (result.kind === 'empty') throw new RingmailError('NODE_STOPPED', { reason: 'nobody waited for the answer' });
  throw new TypeError(`${verb} was answered with ${result.kind}`);
}

/** The answer, or undefined where there is nothing. */
export async function askFor<K extends Kind>(
  node: NodeCalls,
  call: Call,
  { kind, signal }: { kind: K; signal?: AbortSignal | undefined },
): Promise<Answer<K> | undefined> {
  const result = await node.call(call, signal);
  if (result.kind === kind) return result as Answer<K>;
  if (result.kind === 'empty') return undefined;
  throw new TypeError(`${call.verb} was answered with ${result.kind}`);
}
