/** A trigger that a node runs by itself: it copies what fits, and its log is told what stands in the way. */

import type { TriggerConfig } from './config/config.ts';
import { Patience, whenAborted } from './library/patience.ts';
import type { Glance } from './library/receiving.ts';
import { Trigger, type TriggerOptions } from './library/triggers.ts';
import type { NodeCalls } from './node-calls.ts';

export interface TriggerRole extends TriggerConfig {
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/** Runs until `signal` aborts. Resolves when what it was doing is done, and its place stored: then the node may close. */
export async function runTrigger(node: NodeCalls, role: TriggerRole, signal: AbortSignal): Promise<void> {
  const { name, queue, send, where } = role;
  const onError = teller(role);
  const trigger = await started(node, { name, queue, where, do: { send }, onError }, signal);
  if (trigger === undefined) return;
  await whenAborted(signal);
  await trigger.stop();
}

/** Undefined when it was aborted before. */
async function started(node: NodeCalls, options: TriggerOptions, signal: AbortSignal): Promise<Trigger | undefined> {
  const patience = new Patience();
  while (!signal.aborted) {
    try {
      return await Trigger.start(node, options);
    } catch (error) {
      if (!signal.aborted) options.onError?.(error, undefined);
      await patience.wait(signal);
    }
  }
  return undefined;
}

/** What is said of one message is said once, however often it is tried. */
function teller({ name, log }: TriggerRole): (error: unknown, seen: Glance | undefined) => void {
  let last = '';
  return (error, seen) => {
    const text = `trigger ${name}${seen === undefined ? '' : `, message ${seen.lookupId}`}: ${String(error)}`;
    if (text !== last) log('warn', text);
    last = text;
  };
}
