/** What a child process is asked to do. Each request is answered once. */
import type { Cell } from './cells.ts';
import type { ReplugJob } from './replug.ts';
import type { SocketJob } from './socket.ts';
import type { UrgentJob } from './urgent.ts';

export type Request =
  | { readonly kind: 'goodput'; readonly cell: Cell }
  | { readonly kind: 'urgent'; readonly job: UrgentJob }
  | { readonly kind: 'replug'; readonly job: ReplugJob }
  /** Opens its ring, and fills it or listens. */
  | { readonly kind: 'socket-open'; readonly role: 'sends' | 'receives'; readonly job: SocketJob }
  /** The sender dials; the receiver measures. */
  | { readonly kind: 'socket-go' }
  | { readonly kind: 'socket-close' };

export type Answer = { readonly result: unknown } | { readonly error: string };
