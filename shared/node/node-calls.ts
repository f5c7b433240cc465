/** What the local API, the command line and roles need of a node: an answer per call. Calls may outlive the store's openings. */
import type { Call, CallResult } from '../core/calls.ts';

export interface NodeCalls {
  /**
   * Asks the node. Rejects with the coded error of an `error` answer. An aborted wait answers `empty`; a message leased for it in the
   * same moment comes back when its lease ends.
   */
  call(call: Call, signal?: AbortSignal): Promise<Exclude<CallResult, { kind: 'error' }>>;
}
