/** Places that programs have a node remember for them: META `p/<name>`, written in the frame of what brought them there. */
import type { MetaChange } from '../custody/meta-keys.ts';
import { metaChange, metaDelete } from '../custody/meta-keys.ts';
import { RingmailError, refuseProperty } from '../errors.ts';
import { POSITION_BYTES_MAX, POSITION_COUNT_MAX, POSITION_NAME_LENGTH_MAX } from '../limits.ts';
import type { MetaTable } from '../ring/meta-table.ts';

export interface Position {
  readonly name: string;
  /** Empty: it is forgotten. */
  readonly value: Uint8Array;
}

/** Printable, so that a list of them is. */
const NAME = /^[!-~]+$/;

/** Those of one transaction. @throws PROPERTY_INVALID, BUSY when there would be too many */
export function checkPositions(metas: MetaTable, positions: readonly Position[]): void {
  const isKept = new Map<string, boolean>();
  for (const { name, value } of positions) {
    if (!NAME.test(name) || name.length > POSITION_NAME_LENGTH_MAX) {
      refuseProperty('position.name', `1 to ${POSITION_NAME_LENGTH_MAX} characters from ! to ~`);
    }
    if (value.length > POSITION_BYTES_MAX) refuseProperty('position.value', `more than ${POSITION_BYTES_MAX} bytes`);
    isKept.set(name, value.length > 0);
  }
  let more = 0;
  for (const [name, isThere] of isKept) more += Number(isThere) - Number(metas.get(`p/${name}`) !== undefined);
  if (more <= 0) return;
  let pending = 0;
  for (const _ of metas.withPrefix('p/')) pending += 1;
  if (pending + more > POSITION_COUNT_MAX) throw new RingmailError('BUSY', { pending, pendingMax: POSITION_COUNT_MAX });
}

export function positionChange({ name, value }: Position): MetaChange {
  return value.length === 0 ? metaDelete(`p/${name}`) : metaChange(`p/${name}`, value);
}
