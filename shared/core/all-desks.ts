/** What a whole node has. */
import { ALL_STORE_PARTS } from '../custody/all-store-parts.ts';
import { Rehoming } from '../custody/rehoming.ts';
import { Express } from '../ring/express.ts';
import { CommitDesk } from './commit-desk.ts';
import { ExpressSends } from './express-sends.ts';
import { Handles } from './handles.ts';
import { HealthWatch } from './health.ts';
import { HoleDesk } from './hole-desk.ts';
import { routesOf } from './kept-routes.ts';
import { LedgerDesk } from './ledger-desk.ts';
import { LetterDesk } from './letter-desk.ts';
import type { MoreDesks } from './no-desk.ts';
import { ProbeDesk } from './probe-desk.ts';
import { QueueDesk } from './queue-desk.ts';
import { Repeats } from './repeats.ts';
import { Seeking } from './seeking.ts';
import { WAYS } from './way-setup.ts';

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
  storeParts: ALL_STORE_PARTS,
  Rehoming,
  HealthWatch,
  ways: WAYS,
  Seeking,
  ExpressSends,
  Express,
};
