/**
 * The file of the receiving application: what it did, in order, each line on the disk before the message is acknowledged.
 *
 *   {"identity": "…", "queue": "bags", "label": "belt-1", "priority": 3, "body": "<base64>"}     an effect
 *   {… "ending": "BAD_TELEGRAM"}                                                                 the same, of a dead letter
 *   {"redelivered": "<identity>"}                                                                came again and was skipped
 *
 * A last line without its end was cut by a crash before it was synced; its message was never acknowledged and comes again.
 */

export interface Arrival {
  readonly identity: string;
  readonly queue: string;
  readonly label: string;
  readonly priority: number;
  /** Class of a dead letter; undefined: received. */
  readonly ending: string | undefined;
  readonly body: Uint8Array;
}

export type ArrivalRecord =
  | { readonly kind: 'effect'; readonly arrival: Arrival }
  | { readonly kind: 'redelivered'; readonly identity: string };

/** One line, its end included. */
export function formatRecord(record: ArrivalRecord): string {
  if (record.kind === 'redelivered') return `${JSON.stringify({ redelivered: record.identity })}\n`;
  const { body, ending, ...rest } = record.arrival;
  return `${JSON.stringify({ ...rest, ...(ending !== undefined && { ending }), body: Buffer.from(body).toString('base64') })}\n`;
}

/** Without its end. Undefined for anything that is not a whole record. */
export function parseRecord(line: string): ArrivalRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined; // not JSON: that is the answer
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { redelivered, identity, queue, label, priority, ending, body } = value as Record<string, unknown>;
  if (typeof redelivered === 'string') return { kind: 'redelivered', identity: redelivered };
  if (typeof identity !== 'string' || typeof queue !== 'string' || typeof label !== 'string') return undefined;
  if (typeof priority !== 'number' || typeof body !== 'string') return undefined;
  if (ending !== undefined && typeof ending !== 'string') return undefined;
  return {
    kind: 'effect',
    arrival: { identity, queue, label, priority, ending, body: new Uint8Array(Buffer.from(body, 'base64')) },
  };
}

/** Whole lines of a file that grows, from chunks of any size. What has no end yet is held: at most one line. */
export class RecordReader {
  #rest = '';
  /** Lines that are no record: a broken application, never a cut one. */
  unreadable = 0;

  push(text: string): ArrivalRecord[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => {
      const record = parseRecord(line);
      if (record === undefined) this.unreadable += 1;
      return record === undefined ? [] : [record];
    });
  }
}
