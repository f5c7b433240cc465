/** The desks of a whole node. */
import { CommitDesk } from './commit-desk.ts';
import { LetterDesk } from './letter-desk.ts';
import type { MoreDesks } from './no-desk.ts';
import { QueueDesk } from './queue-desk.ts';

export const ALL_DESKS: MoreDesks = { CommitDesk, QueueDesk, LetterDesk };
