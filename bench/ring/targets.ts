/** What the ring is to reach, checked against what was measured in this run. */
import type { Measured } from './load.ts';
import { median, type Row } from './rows.ts';
import type { SubjectName } from './subjects/subject.ts';

/** Results of a case by subject, stretch by stretch: stretches of one number were measured one after the other. */
export type Stretches = ReadonlyMap<string, ReadonlyMap<SubjectName, readonly Measured[]>>;

export interface Target {
  readonly name: string;
  readonly limit: number;
  readonly bound: 'at most' | 'at least';
  readonly value: number;
  /** `figures`: when missed, the measurement itself is wrong, or a subject does not do what it promises. */
  readonly about: 'ringmail' | 'figures';
  /** Whom it is compared with. */
  readonly beside?: string;
}

const RIVALS = ['better-sqlite3', 'lmdb', 'classic-level'] as const;
const MEBIBYTE_TOLERANCE = 8;

export function isReached({ value, limit, bound }: Target): boolean {
  return bound === 'at most' ? value <= limit : value >= limit;
}

export interface Evidence {
  readonly rows: readonly Row[];
  readonly stretches: Stretches;
  readonly device: 'own' | 'shared';
  /** The sync that `stall` injected, in ms. */
  readonly syncMs: number;
}

/** Only what this run can tell: a case or a subject that was left out has no target. */
export function targetsOf(evidence: Evidence): Target[] {
  return [...figures(evidence), ...oneSender(evidence), ...manySenders(evidence), ...single(evidence)];
}

/** A commit of one sender is one message: whoever keeps the promise flushes the device at least once for it. */
function figures({ rows, device, syncMs }: Evidence): Target[] {
  const targets: Target[] = [];
  for (const { case: name, subject, flushesPerMessage, deviceBytesPerMessage, p50Ms } of rows) {
    const about = 'figures';
    const [workload = '', bodyBytes = '', senders = ''] = name.split('/');
    if (device === 'own' && workload === 'put' && senders === '1') {
      targets.push(
        atLeast({ name: `${name} ${subject}: flushes per message`, limit: 0.99, value: flushesPerMessage ?? 0, about }),
      );
    }
    if (device === 'own' && workload === 'put') {
      const limit = Number(bodyBytes);
      targets.push(
        atLeast({ name: `${name} ${subject}: device bytes per message`, limit, value: deviceBytesPerMessage ?? 0, about }),
      );
    }
    if (name === 'stall') {
      targets.push(
        atLeast({
          name: `${name} ${subject}: median, in ms, of a message that waits for syncs`,
          limit: syncMs,
          value: p50Ms ?? 0,
          about,
        }),
      );
    }
  }
  return targets;
}

function oneSender({ rows, stretches, device }: Evidence): Target[] {
  const name = 'put/128/1';
  const row = find(rows, name, 'ringmail');
  if (row === undefined) return [];
  const targets: Target[] = [];
  const { deviceBytesPerMessage, flushesPerMessage } = row;
  const about = 'ringmail';
  if (device === 'own' && deviceBytesPerMessage !== undefined && flushesPerMessage !== undefined) {
    targets.push(atMost({ name: `${name}: device bytes per message`, limit: 4300, value: deviceBytesPerMessage, about }));
    targets.push(atMost({ name: `${name}: flushes per message`, limit: 1.05, value: flushesPerMessage, about }));
  }
  const floor = ratio(stretches, name, 'raw');
  if (floor !== undefined) {
    targets.push(
      atLeast({ name: `${name}: messages/s as a share of the floor`, limit: 0.85, value: floor, about, beside: 'raw' }),
    );
  }
  return targets;
}

function manySenders({ rows, stretches, device }: Evidence): Target[] {
  const targets: Target[] = [];
  const about = 'ringmail';
  for (const name of stretches.keys()) {
    const [workload, , senders] = name.split('/');
    if (senders !== '64' || (workload !== 'put' && workload !== 'cycle')) continue;
    const ratios = RIVALS.flatMap((rival) => {
      const value = ratio(stretches, name, rival);
      return value === undefined ? [] : [{ rival, value }];
    });
    const least = ratios.reduce<(typeof ratios)[number] | undefined>((a, b) => (a && a.value < b.value ? a : b), undefined);
    if (least !== undefined) {
      const { rival, value } = least;
      targets.push(atLeast({ name: `${name}: messages/s, times the best rival's`, limit: 1.2, value, about, beside: rival }));
    }
    const ours = find(rows, name, 'ringmail')?.deviceBytesPerMessage;
    const theirs = find(rows, name, 'better-sqlite3')?.deviceBytesPerMessage;
    if (device === 'shared' || ours === undefined || theirs === undefined) continue;
    const share = { limit: 0.5, value: ours / theirs, about, beside: 'better-sqlite3' } as const;
    targets.push(atMost({ name: `${name}: device bytes as a share of SQLite's`, ...share }));
  }
  return targets;
}

function single({ rows }: Evidence): Target[] {
  const about = 'ringmail';
  const targets: Target[] = [];
  const most = (name: string, value: number | undefined, limit: number) => {
    if (value !== undefined) targets.push(atMost({ name, limit, value, about }));
  };
  most('stall: delay of the event loop, 99th percentile, in ms', find(rows, 'stall', 'ringmail')?.loopDelayP99Ms, 5);
  const open = find(rows, 'open', 'ringmail');
  most('open: ms', open?.openMs, 1000);
  most('open: bytes of heap per message', open?.heapBytesPerMessage, 64);
  most('fill: growth of memory from empty to full, apart from the index, in MiB', growth(rows), MEBIBYTE_TOLERANCE);
  // A ring of which nothing lives is written once: the third decimal is rounding.
  for (const [pinned, limit] of [
    [0, 1.0005],
    [24, 1.4],
    [48, 2.3],
  ] as const) {
    const name = `wear/${pinned}`;
    most(`${name}: blocks written per block of new messages`, find(rows, name, 'ringmail')?.writeAmplification, limit);
  }
  return targets;
}

/** Between an empty and a full ring, of what is not the index. */
function growth(rows: readonly Row[]): number | undefined {
  const rest = [0, 50, 100].map((percent) => {
    const { rssMb, indexMb } = find(rows, `fill/${percent}`, 'ringmail') ?? {};
    return rssMb === undefined || indexMb === undefined ? undefined : rssMb - indexMb;
  });
  const [empty] = rest;
  if (empty === undefined) return undefined;
  return Math.max(...rest.map((mb) => (mb ?? empty) - empty));
}

/** Speed of ringmail over that of another, stretch by stretch: what else the machine did then hit both. */
function ratio(stretches: Stretches, name: string, other: SubjectName): number | undefined {
  const ours = stretches.get(name)?.get('ringmail') ?? [];
  const theirs = stretches.get(name)?.get(other) ?? [];
  if (ours.length === 0 || ours.length !== theirs.length) return undefined;
  return median(ours.map((one, i) => one.messagesPerSecond / (theirs[i]?.messagesPerSecond ?? 0)));
}

function find(rows: readonly Row[], name: string, subject: SubjectName): Row | undefined {
  return rows.find((row) => row.case === name && row.subject === subject);
}

function atMost(target: Omit<Target, 'bound'>): Target {
  return { ...target, bound: 'at most' };
}

function atLeast(target: Omit<Target, 'bound'>): Target {
  return { ...target, bound: 'at least' };
}
