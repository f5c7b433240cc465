/** Queues that somebody has opened, and for what. A handle ends when it is closed, or when nobody uses it for its time. */
import type { Access, Call } from './calls.ts';

export class Handles {
  /** @throws QUEUE_NOT_FOUND, SHARING_VIOLATION */
  open(_call: Call & { readonly verb: 'open' }): string {
    throw new Error('not built yet');
  }

  /** @throws HANDLE_UNKNOWN */
  close(_handle: string): void {
    throw new Error('not built yet');
  }

  /**
   * Judges a use of a queue, with a handle or without, and prolongs the handle.
   * @throws HANDLE_UNKNOWN, ACCESS_MODE_INVALID, SHARING_VIOLATION, QUEUE_DELETED
   */
  check(_queue: string, _access: Access, _handle: string | undefined): void {}
}
