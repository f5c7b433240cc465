/** What a whole node has. */
import { CommitDesk } from './commit-desk.ts';
import { Handles } from './handles.ts';
import { HoleDesk } from './hole-desk.ts';
import { routesOf } from './kept-routes.ts';
import { LedgerDesk } from './ledger-desk.ts';
import { LetterDesk } from './letter-desk.ts';
import type { MoreDesks } from './no-desk.ts';
import { ProbeDesk } from './probe-desk.ts';
import { QueueDesk } from './queue-desk.ts';
import { Repeats } from './repeats.ts';

export const ALL_DESKS: MoreDesks = {
  CommitDesk,
  QueueDesk,
  LedgerDesk,
  LetterDesk,
  HoleDesk,
  ProbeDesk,
  Handles,
  Repeats,
  routesOf,
};
