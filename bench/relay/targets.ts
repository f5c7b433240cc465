/** What the relay is to reach, checked against what was measured in this run. */
import type { Target } from '../ring/targets.ts';
import type { Row, Subject } from './rows.ts';

/** Of the way without storage, one message a publish. */
const CLIENT_SHARE_MIN = 0.6;
const BRIDGE_TIMES_MIN = 3;
const LATENCY_P99_MS_MAX = 50;
const LIVE_TIMES_MAX = 2;
const GROWTH_MB_MAX = 64;

/** Only what this run can tell: a case that was left out has no target. */
export function targetsOf(rows: readonly Row[]): Target[] {
  return rows.filter(({ subject }) => subject === 'ringmail').flatMap((row) => targetsOfRow(row, rows));
}

function targetsOfRow(row: Row, rows: readonly Row[]): Target[] {
  const [kind = '', bodyBytes = ''] = row.case.split('/');
  const speed = (subject: Subject) => rows.find((other) => other.case === `relay/${bodyBytes}` && other.subject === subject);
  const share = (subject: Subject, limit: number, what: string): Target[] => {
    const beside = speed(subject)?.messagesPerSecond;
    const value = (row.messagesPerSecond ?? 0) / (beside ?? Number.NaN);
    return beside === undefined
      ? []
      : [{ ...OURS, name: `${row.case}: ${what}`, bound: 'at least', limit, value, beside: subject }];
  };
  const most = (what: string, limit: number, value: number): Target => {
    return { ...OURS, name: `${row.case}: ${what}`, bound: 'at most', limit, value };
  };
  switch (kind) {
    case 'relay':
      return share('mqtt-client', CLIENT_SHARE_MIN, 'messages/s as a share of those without storage');
    case 'relay-batched':
      return share('mosquitto-bridge', BRIDGE_TIMES_MIN, 'messages/s, times those of a bridge');
    case 'latency':
      return [most('99th percentile, in ms', LATENCY_P99_MS_MAX, row.p99Ms ?? Number.NaN)];
    case 'backlog': {
      const idle = rows.find((other) => other.case === 'backlog/idle')?.p99Ms;
      if (row.case === 'backlog/idle' || idle === undefined) return [];
      return [
        most('messages that were left when the time was up', 0, row.left ?? Number.NaN),
        most('live messages, 99th percentile, times that when idle', LIVE_TIMES_MAX, (row.p99Ms ?? Number.NaN) / idle),
        most("the gateway's memory beyond idle and 64 bytes a message, in MiB", GROWTH_MB_MAX, row.rssMb ?? Number.NaN),
      ];
    }
    case 'kill':
    case 'powercut':
      return [
        most('lost of what was acknowledged', 0, row.lost ?? Number.NaN),
        most('received twice', 0, row.duplicated ?? Number.NaN),
      ];
    default:
      return [];
  }
}

const OURS = { about: 'ringmail' } as const;
