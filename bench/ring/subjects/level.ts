/**
 * classic-level (LevelDB) at its best with the same promise: one batch with `sync` for all that one turn of the event loop asked for.
 * Ids that are ready are known in memory, and a body is read by its key: an iterator would walk over what was deleted.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ReadyIds } from './ready-ids.ts';
import type { Subject, SubjectOptions } from './subject.ts';
import { Turn, type Waiting } from './turn.ts';

type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };
interface Database {
  open(): Promise<void>;
  batch(operations: readonly Operation[], options: { sync: boolean }): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  getSync?(key: Uint8Array): Uint8Array | undefined;
  close(): Promise<void>;
}
type Level = new (path: string, options: Record<string, unknown>) => Database;

export async function openLevel({ directory }: SubjectOptions): Promise<Subject> {
  const require = createRequire(process.env.RINGMAIL_BENCH_ROOT ?? import.meta.url);
  const { ClassicLevel } = require('classic-level') as { ClassicLevel: Level };
  const db = new ClassicLevel(join(directory, 'level'), { keyEncoding: 'view', valueEncoding: 'view', compression: false });
  await db.open();
  const ready = new ReadyIds();
  let nextId = 1;
  const turn = new Turn<Operation>((changes: readonly Waiting<Operation>[]) =>
    db.batch(
      changes.map(({ change }) => change),
      { sync: true },
    ),
  );
  return {
    put: async (priority, body) => {
      const id = nextId++;
      await turn.add({ type: 'put', key: keyOf(id), value: body });
      ready.add(priority, id);
    },
    receive: () => {
      const id = ready.take();
      const body = db.getSync?.(keyOf(id));
      if (body === undefined) throw new Error(`message ${id} is gone`);
      return { id, body };
    },
    ack: ({ id }) => turn.add({ type: 'del', key: keyOf(id) }),
    close: () => db.close(),
  };
}

/** Big-endian: in the order of ids. */
function keyOf(id: number): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, BigInt(id));
  return key;
}
