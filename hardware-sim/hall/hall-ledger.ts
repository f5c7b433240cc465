/**
 * The ledger of a hall: what the belts were told is durable, against what the application wrote down. No node is asked.
 *
 *   accepted  == received + deadLettered + expired        and nothing lost, nothing twice, nothing out of order
 *
 * A telegram is told by the unique key its generator gave it, else by its belt and its bytes. One that arrives with other bytes than
 * it was told with is not that telegram: it is lost.
 */

import { priorityOf, readRp1745 } from '../../device/adapters/rp1745.ts';
import { type Arrived, drawLedger, type Ledger, type Sent } from '../witness.ts';
import type { Accepted } from './belt-controller.ts';
import type { Arrival, ArrivalRecord } from './hall-arrivals.ts';

/** In the order in which it is printed. */
export interface HallLedger extends Ledger {
  /** Came again after a crash between effect and acknowledgement, and was skipped by the application. Allowed. */
  readonly redelivered: number;
  /** Those that happened. */
  readonly outages: number;
  /** From the first telegram until the last one was accounted for. */
  readonly seconds: number;
  readonly messagesPerSecond: number;
  /** What belt 1 told the device of belt 2 and arrived there while broker and central were away. Of a run in which they were. */
  readonly neighbours?: number;
}

export interface HallAccount {
  readonly belts: readonly { readonly label: string; readonly accepted: readonly Accepted[] }[];
  readonly records: readonly ArrivalRecord[];
  /** What `Accepted.key` says of the same telegram. */
  readonly keyOf: (telegram: Uint8Array) => string | undefined;
  readonly outages: number;
  readonly seconds: number;
  readonly neighbours?: number | undefined;
}

export function settle(account: HallAccount): HallLedger {
  const { belts, records, keyOf, outages, seconds, neighbours } = account;
  const told = new ToldTelegrams();
  const sent = belts.flatMap(({ label, accepted }) =>
    accepted.map((one): Sent => ({ key: told.add(label, one), orderedWith: orderOf(label, one) })),
  );
  const effects = records.flatMap((record) => (record.kind === 'effect' ? [record.arrival] : []));
  const keys = new ArrivedKeys(told, keyOf);
  const arrived = effects.map((arrival): Arrived => {
    return { key: keys.of(arrival), orderedWith: `${arrival.label}/${arrival.priority}`, ending: arrival.ending };
  });
  const ledger = drawLedger(sent, arrived);
  const { accepted, received, deadLettered, expired, lost, outOfOrder } = ledger;
  const duplicates = ledger.duplicates + keys.identitiesReused;
  const redelivered = records.length - effects.length;
  const round = (value: number, digits: number): number => Number(value.toFixed(digits));
  return {
    accepted,
    received,
    deadLettered,
    expired,
    lost,
    duplicates,
    redelivered,
    outOfOrder,
    outages,
    seconds: round(seconds, 1),
    messagesPerSecond: seconds > 0 ? round(accepted / seconds, 1) : 0,
    ...(neighbours !== undefined && { neighbours }),
  };
}

/** Why this ledger is not clean; empty when it is. */
export function ledgerProblems(ledger: HallLedger): string[] {
  const { accepted, received, deadLettered, expired } = ledger;
  const problems: string[] = [];
  for (const name of ['lost', 'duplicates', 'outOfOrder'] as const)
    if (ledger[name] !== 0) problems.push(`${name} is ${ledger[name]}`);
  const accounted = received + deadLettered + expired;
  if (accepted !== accounted) problems.push(`${accepted} accepted, ${accounted} accounted for`);
  if (accepted === 0) problems.push('nothing was accepted');
  if (ledger.neighbours === 0) problems.push('nothing reached the neighbour while broker and central were away');
  return problems;
}

/** What the belts were told is durable. */
class ToldTelegrams {
  readonly #byKey = new Map<string, Uint8Array>();
  readonly #counts = new Map<string, number>();

  /** The key it goes by. Without one of its own, equal telegrams of a belt are numbered. */
  add(label: string, { key, telegram }: Accepted): string {
    if (key !== undefined) {
      this.#byKey.set(key, telegram);
      return key;
    }
    const name = nameOf(label, telegram);
    const count = this.count(name) + 1;
    this.#counts.set(name, count);
    return `${name}#${count}`;
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  telegram(key: string): Uint8Array | undefined {
    return this.#byKey.get(key);
  }
}

class ArrivedKeys {
  /** Same identity, other telegram: two messages under one name. */
  identitiesReused = 0;
  readonly #told: ToldTelegrams;
  readonly #keyOf: (telegram: Uint8Array) => string | undefined;
  readonly #byIdentity = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  constructor(told: ToldTelegrams, keyOf: (telegram: Uint8Array) => string | undefined) {
    this.#told = told;
    this.#keyOf = keyOf;
  }

  of(arrival: Arrival): string {
    const before = this.#byIdentity.get(arrival.identity);
    const key = this.#keyed(arrival) ?? before ?? this.#numbered(arrival);
    if (before !== undefined && before !== key) this.identitiesReused += 1;
    this.#byIdentity.set(arrival.identity, key);
    return key;
  }

  #keyed({ body }: Arrival): string | undefined {
    const key = this.#keyOf(body);
    const telegram = key === undefined ? undefined : this.#told.telegram(key);
    return telegram !== undefined && Buffer.compare(telegram, body) !== 0 ? `${key} altered` : key;
  }

  /** The one after the last that was told is that one again. */
  #numbered({ label, body }: Arrival): string {
    const name = nameOf(label, body);
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return `${name}#${Math.min(count, Math.max(1, this.#told.count(name)))}`;
  }
}

function nameOf(label: string, telegram: Uint8Array): string {
  return `${label} ${Buffer.from(telegram).toString('latin1')}`;
}

function orderOf(label: string, { telegram }: Accepted): string {
  const reading = readRp1745(telegram);
  return `${label}/${reading.ok ? priorityOf(reading) : 'invalid'}`;
}
