/** A lease that never reached anybody: no need to wait until it ends. */
import { RingmailError } from '../../errors.ts';
import type { Serving } from './endpoint.ts';

export function giveBack({ node, leases }: Pick<Serving, 'node' | 'leases'>, lease: string): void {
  leases.ended(lease);
  node.call({ verb: 'nack', lease, delayMs: 0 }).catch((error: unknown) => {
    // It ended already, or the node is stopping: the message is back, or will be.
    if (!(error instanceof RingmailError)) throw error;
  });
}
