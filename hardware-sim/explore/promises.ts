/** What must hold in what one disk holds, whatever happened. */
import type { Contents } from './contents.ts';

/** `honest`: nothing was put back or copied so far. */
export type Manner = 'honest' | 'harmed' | 'cloned';

/**
 * Nothing twice, or marked; nothing out of order, but what is late; and while all is honest, no marks, no dead letters, and no number below the next
 * one that is neither stored nor accounted for.
 */
export function wrongIn({ delivered, dead, unexplained }: Contents, manner: Manner): string | undefined {
  let [seen, unmarked] = [0, 0];
  const last = new Map<number, number>();
  for (const { key, isMarked, isLate, priority } of delivered) {
    const bit = 1 << key;
    if (manner === 'honest' && (seen & bit) !== 0) return `delivered twice: m${key}`;
    if (manner === 'honest' && isMarked) return `marked for no reason: m${key}`;
    if (!isMarked && (unmarked & bit) !== 0) return `delivered twice without a mark: m${key}`;
    if (!isMarked && !isLate && manner !== 'cloned' && (last.get(priority) ?? -1) > key) return `out of order: m${key}`;
    seen |= bit;
    if (isMarked || isLate) continue;
    unmarked |= bit;
    last.set(priority, key);
  }
  if (manner !== 'honest') return undefined;
  if (dead !== 0) return `dead-lettered for no reason: ${keysOf(dead)}`;
  if (unexplained !== 0) return `${unexplained} numbers below the next one are neither stored nor accounted for`;
  return undefined;
}

export function describeContents({ held, delivered, above, awaited, dead }: Contents): string {
  const there = delivered.map(({ key, isMarked, isLate }) => `m${key}${isMarked ? '?' : ''}${isLate ? ' late' : ''}`).join(' ');
  const hole = awaited === 0 ? '' : `, waits for ${awaited} before [${keysOf(above).join(' ')}]`;
  return `holds [${keysOf(held).join(' ')}], delivered [${there}]${hole}${dead === 0 ? '' : `, dead [${keysOf(dead).join(' ')}]`}`;
}

export function keysOf(mask: number): string[] {
  const keys: string[] = [];
  for (let key = 0; key < 31; key++) if ((mask & (1 << key)) !== 0) keys.push(`m${key}`);
  return keys;
}
