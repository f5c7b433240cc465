/** Ids of messages ready to be received, in memory, for stores that find a message by its key fastest: one FIFO per priority. */
import { PRIORITIES } from './subject.ts';

const COMPACT_COUNT = 4096;

export class ReadyIds {
  readonly #lists = Array.from({ length: PRIORITIES }, () => ({ ids: [] as number[], head: 0 }));

  add(priority: number, id: number): void {
    this.#lists[priority]?.ids.push(id);
  }

  /** The most urgent id, the oldest of those. */
  take(): number {
    for (let priority = PRIORITIES - 1; priority >= 0; priority--) {
      const list = this.#lists[priority];
      const id = list?.ids[list.head];
      if (list === undefined || id === undefined) continue;
      list.head += 1;
      if (list.head >= COMPACT_COUNT && list.head * 2 >= list.ids.length) {
        list.ids = list.ids.slice(list.head);
        list.head = 0;
      }
      return id;
    }
    throw new Error('nothing to receive');
  }
}
