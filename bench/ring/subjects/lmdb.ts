/**
 * lmdb at its best with the same promise: its own batching of everything that one turn of the event loop puts, done in its own thread,
 * every commit synced before its promise resolves (neither noSync, noMetaSync nor overlappingSync). Ids that are ready are known in
 * memory, and a body is read by its key, which is what it does fastest.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ReadyIds } from './ready-ids.ts';
import type { Subject, SubjectOptions } from './subject.ts';

interface Database {
  put(key: number, value: Uint8Array): Promise<boolean>;
  remove(key: number): Promise<boolean>;
  getBinary(key: number): Uint8Array | undefined;
  close(): Promise<void>;
}
interface Lmdb {
  open(options: Record<string, unknown>): Database;
}

export async function openLmdb({ directory, ringBytes }: SubjectOptions): Promise<Subject> {
  const require = createRequire(process.env.RINGMAIL_BENCH_ROOT ?? import.meta.url);
  const { open } = require('lmdb') as Lmdb;
  const db = open({
    path: join(directory, 'lmdb'),
    mapSize: 4 * ringBytes,
    encoding: 'binary',
    keyEncoding: 'uint32',
    overlappingSync: false,
    noMemInit: true,
  });
  const ready = new ReadyIds();
  let nextId = 1;
  return {
    put: async (priority, body) => {
      const id = nextId++;
      await db.put(id, body);
      ready.add(priority, id);
    },
    receive: () => {
      const id = ready.take();
      const body = db.getBinary(id);
      if (body === undefined) throw new Error(`message ${id} is gone`);
      return { id, body };
    },
    ack: async ({ id }) => {
      await db.remove(id);
    },
    close: () => db.close(),
  };
}
