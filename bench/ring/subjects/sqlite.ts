/**
 * better-sqlite3 at its best with the same promise: WAL, synchronous=FULL (every commit is synced), prepared statements, an index by
 * priority and id, one transaction for all that one turn of the event loop asked for. The write-ahead log is grown to its full length
 * and checkpointed before anything is measured, so that no commit allocates. What has been received and not acknowledged is known in
 * memory only, as it is in ringmail.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PRIORITIES, type Received, type Subject, type SubjectOptions } from './subject.ts';
import { Turn, type Waiting } from './turn.ts';

interface Statement {
  run(...values: unknown[]): unknown;
  get(...values: unknown[]): unknown;
}
interface Database {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): Statement;
  close(): void;
}

type Change = { readonly priority: number; readonly body: Uint8Array } | { readonly id: number };

/** Pages of the log before it is checkpointed: SQLite's own default. */
const CHECKPOINT_PAGES = 1000;
const WARM_BODY_BYTES = 1024 * 1024;

export async function openSqlite({ directory }: SubjectOptions): Promise<Subject> {
  const require = createRequire(process.env.RINGMAIL_BENCH_ROOT ?? import.meta.url);
  const Database = require('better-sqlite3') as new (path: string) => Database;
  const db = new Database(join(directory, 'sqlite.db'));
  db.pragma('locking_mode = EXCLUSIVE');
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.exec('CREATE TABLE message (id INTEGER PRIMARY KEY, priority INTEGER NOT NULL, body BLOB NOT NULL)');
  db.exec('CREATE INDEX by_priority ON message (priority, id)');
  const insert = db.prepare('INSERT INTO message (id, priority, body) VALUES (?, ?, ?)');
  const remove = db.prepare('DELETE FROM message WHERE id = ?');
  const next = db.prepare('SELECT id, body FROM message WHERE priority = ? AND id > ? ORDER BY id LIMIT 1');
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  warmLog(db, { insert, remove });

  const ready = new Array<number>(PRIORITIES).fill(0);
  const received = new Array<number>(PRIORITIES).fill(0);
  let nextId = 1;

  const turn = new Turn<Change>((changes: readonly Waiting<Change>[]) => {
    begin.run();
    for (const { change } of changes) {
      if ('body' in change) insert.run(nextId++, change.priority, change.body);
      else remove.run(change.id);
    }
    commit.run();
    for (const { change } of changes) if ('body' in change) ready[change.priority]! += 1;
  });

  return {
    put: (priority, body) => turn.add({ priority, body }),
    receive: () => {
      let priority = PRIORITIES - 1;
      while (priority > 0 && ready[priority] === 0) priority--;
      const row = next.get(priority, received[priority]) as Received | undefined;
      if (row === undefined) throw new Error('nothing to receive');
      received[priority] = row.id;
      ready[priority]! -= 1;
      return row;
    },
    ack: ({ id }) => turn.add({ id }),
    close: async () => db.close(),
  };
}

function warmLog(db: Database, { insert, remove }: { insert: Statement; remove: Statement }): void {
  const body = new Uint8Array(WARM_BODY_BYTES);
  for (let written = 0; written < 2 * CHECKPOINT_PAGES * 4096; written += WARM_BODY_BYTES) {
    insert.run(1, 0, body);
    remove.run(1);
  }
  db.pragma('wal_checkpoint(RESTART)');
}
