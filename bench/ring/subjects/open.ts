/** Subjects by name. */
import { openLevel } from './level.ts';
import { openLmdb } from './lmdb.ts';
import { openRaw } from './raw.ts';
import { openRingmail } from './ringmail.ts';
import { openSqlite } from './sqlite.ts';
import type { Subject, SubjectName, SubjectOptions } from './subject.ts';

const OPENERS: Readonly<Record<SubjectName, (options: SubjectOptions) => Promise<Subject>>> = {
  ringmail: openRingmail,
  raw: openRaw,
  'better-sqlite3': openSqlite,
  lmdb: openLmdb,
  'classic-level': openLevel,
};

export function openSubject(name: SubjectName, options: SubjectOptions): Promise<Subject> {
  return OPENERS[name](options);
}
