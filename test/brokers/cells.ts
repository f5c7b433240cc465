/** One broker and one fault: what came of it. */
import { FAULTS, type Fault } from './faults.ts';
import type { BrokerKind } from './kinds.ts';
import { Site } from './site.ts';

export interface Cell {
  readonly broker: string;
  readonly fault: string;
  /** `red`: nothing could move, and the gateway said why. */
  readonly verdict: 'all arrives' | 'red' | 'n/a' | 'skipped' | 'FAILED';
  /** What is behind the verdict, for people. */
  readonly detail: string;
  readonly ms: number;
}

export function cellsOf(kinds: readonly BrokerKind[]): { readonly kind: BrokerKind; readonly fault: Fault }[] {
  return kinds.flatMap((kind) => FAULTS.map((fault) => ({ kind, fault })));
}

export async function play(kind: BrokerKind, fault: Fault): Promise<Cell> {
  const names = { broker: kind.name, fault: fault.name };
  const missing = kind.missing();
  if (missing !== undefined) return { ...names, verdict: 'skipped', detail: missing, ms: 0 };
  const lacks = kind.lacks(fault.setup);
  if (lacks !== undefined) return { ...names, verdict: 'n/a', detail: lacks, ms: 0 };
  const startedMs = performance.now();
  const ended = (verdict: Cell['verdict'], detail: string): Cell => {
    return { ...names, verdict, detail, ms: Math.round(performance.now() - startedMs) };
  };
  let site: Site | undefined;
  try {
    site = await Site.open(kind, fault.setup);
    const result = await fault.play(site);
    const { accepted, lost, twice, dead, held } = result;
    const counts = `${accepted} accepted, ${lost} lost, ${twice} twice, ${dead} given up, ${held} waiting`;
    if (lost !== 0 || twice !== 0) return ended('FAILED', counts);
    if ('cause' in result)
      return held > 0 && result.cause !== '' ? ended('red', result.cause) : ended('FAILED', `${counts}; not red`);
    return held === 0 && dead === (fault.dead ?? 0) ? ended('all arrives', counts) : ended('FAILED', `${counts}; ${site.cause}`);
  } catch (error) {
    return ended('FAILED', error instanceof Error ? error.message : String(error));
  } finally {
    await site?.close();
  }
}
