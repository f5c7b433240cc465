/** What the node is to reach, checked against what was measured in this run. */
import { median } from '../ring/rows.ts';
import type { Target } from '../ring/targets.ts';
import type { Measured } from './job.ts';
import { type Result, rowOf } from './rows.ts';

/** What a message costs in a long queue, over what it costs in a short one. */
const LONG_QUEUE_RATIO_MAX = 1.5;
/** Of the speed of the bare ring. */
const RING_SHARE_MIN = 0.8;
const API_PER_SECOND_MIN = 8_000;
const API_P99_MS_MAX = 20;

/** Only what this run can tell: a case that was left out has no target. */
export function targetsOf(results: readonly Result[]): Target[] {
  return [...receiving(results), ...sending(results), ...overTheApi(results)];
}

function receiving(results: readonly Result[]): Target[] {
  const short = find(results, 'receive/1000');
  const long = find(results, 'receive/100000');
  if (short === undefined || long === undefined) return [];
  const beside = short.case;
  const most = (name: string, figure: (stretch: Measured) => number): Target => {
    return { ...OURS, name, bound: 'at most', limit: LONG_QUEUE_RATIO_MAX, value: ratio(long, short, figure), beside };
  };
  return [
    most(`${long.case}: processor time per message, times that of a short queue`, (stretch) => stretch.cpuUsPerMessage),
    most(`${long.case}: time per message, times that of a short queue`, (stretch) => 1 / stretch.messagesPerSecond),
  ];
}

function sending(results: readonly Result[]): Target[] {
  const node = find(results, 'send/64');
  const ring = results.find((result) => result.subject === 'ring');
  if (node === undefined || ring === undefined) return [];
  const value = ratio(node, ring, (stretch) => stretch.messagesPerSecond);
  const name = `${node.case}: messages/s as a share of the bare ring's`;
  return [{ ...OURS, name, bound: 'at least', limit: RING_SHARE_MIN, value, beside: 'ring' }];
}

function overTheApi(results: readonly Result[]): Target[] {
  const api = find(results, 'api/64');
  if (api === undefined) return [];
  const { messagesPerSecond, p99Ms } = rowOf(api);
  return [
    { ...OURS, name: `${api.case}: messages/s`, bound: 'at least', limit: API_PER_SECOND_MIN, value: messagesPerSecond },
    { ...OURS, name: `${api.case}: 99th percentile, in ms`, bound: 'at most', limit: API_P99_MS_MAX, value: p99Ms },
  ];
}

const OURS = { about: 'ringmail' } as const;

function find(results: readonly Result[], name: string): Result | undefined {
  return results.find((result) => result.case === name && result.subject === 'ringmail');
}

/** Stretch by stretch: what else the machine did then hit both. */
function ratio(one: Result, other: Result, figure: (stretch: Measured) => number): number {
  const ratios = one.stretches.map((stretch, i) => {
    const beside = other.stretches[i];
    return beside === undefined ? undefined : figure(stretch) / figure(beside);
  });
  return median(ratios) ?? Number.NaN;
}
