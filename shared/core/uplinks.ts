/**
 * The ways up of a node: a custody sender for each, the relays of those that go over MQTT, and which of them stand.
 *
 *   way      one neighbour: a ticket, a base, cursors              of several ways each stream takes the one that Hops chooses
 *   uplink   a line, or a broker, that leads to it                 of several brokers of one way one is on duty; chosen by the same rule
 *
 * A newer session of this node fences the older one, so two brokers of one central can't both have one. Who stands by is known to stand
 * by the central's status on its broker.
 */
import { invariant } from '../assert.ts';
import type { Hop } from '../custody/hops.ts';
import { Meter } from '../custody/meter.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { Above } from '../custody/own-route.ts';
import type { CustodyReceiver } from '../custody/receiver.ts';
import { CustodySender } from '../custody/sender.ts';
import { chooseWay, type Patience } from '../custody/ways.ts';
import { earliest } from '../earliest.ts';
import type { Random } from '../ports.ts';
import { RelayUplink } from '../relay/relay-uplink.ts';
import type { Trials } from '../relay/trial.ts';
import type { UplinkStats } from './calls.ts';
import type { UplinkSetup } from './node-io.ts';
import type { WaySetup } from './way-setup.ts';

/** A broker of a way. */
interface Bearer {
  readonly uplink: UplinkSetup;
  readonly relay: RelayUplink;
  stands: boolean;
  sinceMs: number;
}

interface Way {
  readonly setup: WaySetup;
  readonly sender: CustodySender;
  /** Empty for a link. */
  bearers: readonly Bearer[];
  againAtMs: number | undefined;
}

export class Uplinks {
  readonly #store: NodeStore;
  readonly #ways: readonly Way[];
  /** Of metered uplinks, by name. */
  readonly #meters = new Map<string, Meter>();
  #takeOvers = 0;
  #patience: Patience = { failoverMs: 0, failbackMs: 0 };

  /** Reads what the ring remembers of the neighbours. */
  constructor(roots: { readonly store: NodeStore; readonly random: Random; readonly ways: readonly WaySetup[] }) {
    const { store, random, ways } = roots;
    this.#store = store;
    this.#ways = ways.map((setup) => ({
      setup,
      sender: new CustodySender(store, setup.hop, random),
      bearers: [],
      againAtMs: undefined,
    }));
    for (const { uplinks } of ways)
      for (const { name, cap } of uplinks) if (cap !== undefined) this.#meters.set(name, new Meter(cap));
    const others = () => this.senders;
    for (const { sender } of this.#ways) {
      sender.others = others;
      sender.load();
    }
  }

  /** Makes what speaks over brokers. `node`: the name of this one. */
  begin(
    start: Patience & {
      readonly node: string;
      readonly receiver: CustodyReceiver;
      readonly nowMs: number;
      readonly trials: Trials;
      /** Something that is no message of custody waits for the broker of this uplink. */
      readonly isAwaited: (uplink: string) => boolean;
    },
  ): void {
    const { node, receiver, nowMs, failoverMs, failbackMs, trials, isAwaited } = start;
    const store = this.#store;
    this.#patience = { failoverMs, failbackMs };
    for (const way of this.#ways) {
      const { sender } = way;
      const brokers = way.setup.uplinks.filter(({ kind }) => kind === 'mqtt');
      way.bearers = brokers.map((uplink, at) => {
        const { central, partitionCount, messagesPerPublish, lazy, name } = uplink;
        const duty = at === 0 ? 'on-duty' : 'standing-by';
        const relay = new RelayUplink({
          sender,
          receiver,
          store,
          node,
          central,
          partitionCount,
          messagesPerPublish,
          lazy,
          isAwaited: () => isAwaited(name),
          duty,
          meter: this.#meters.get(uplink.name),
          trial: trials.of(uplink.name),
        });
        return { uplink, relay, stands: false, sinceMs: nowMs };
      });
    }
  }

  get senders(): CustodySender[] {
    return this.#ways.map(({ sender }) => sender);
  }

  /** Of the line of an uplink; the first that is a link unless it is named. Undefined: it is none of this node's. */
  dialled(name: string | undefined): { readonly sender: CustodySender; readonly meter: Meter | undefined } | undefined {
    const is = ({ kind, name: own }: UplinkSetup) => (name === undefined ? kind === 'link' : own === name);
    for (const { setup, sender } of this.#ways) {
      const uplink = setup.uplinks.find(is);
      if (uplink !== undefined) return { sender, meter: this.#meters.get(uplink.name) };
    }
    return undefined;
  }

  meterOf(name: string): Meter | undefined {
    return this.#meters.get(name);
  }

  /** Who is at the other end of a way, while there is a session. */
  above(hop: Hop): (Above & { readonly carrier: 'link' | 'mqtt' }) | undefined {
    const way = this.#ways.find(({ setup }) => setup.hop === hop);
    if (way?.sender.state !== 'ready') return undefined;
    const { receiver: node, receiverIncarnation: incarnation, receiverEpoch: opening } = way.sender;
    return { way: hop, node, incarnation, opening, carrier: way.setup.uplinks[0]?.kind ?? 'link' };
  }

  /** Of the broker of an uplink; the first unless it is named. */
  relayOf(name: string | undefined): RelayUplink | undefined {
    for (const { bearers } of this.#ways)
      for (const { uplink, relay } of bearers) if (name === undefined || uplink.name === name) return relay;
    return undefined;
  }

  /** The broker of an uplink said what stands in the way. */
  refused(name: string | undefined, reason: string): void {
    const way = this.#ways.find(({ bearers }) => bearers.some(({ uplink }) => name === undefined || uplink.name === name));
    if (way !== undefined) way.sender.trouble = reason;
  }

  /** Every relay, with the name of its broker. */
  *relays(): Generator<readonly [string, RelayUplink]> {
    for (const { bearers } of this.#ways) for (const { uplink, relay } of bearers) yield [uplink.name, relay];
  }

  /** Notes who stands, and chooses anew. Before and after the relays and links are pumped: what they did may change it. */
  pump(nowMs: number): 'same' | 'changed' {
    const { hops } = this.#store;
    const before = hops.changeCount + this.#takeOvers;
    for (const way of this.#ways) {
      this.#chooseBearer(way, nowMs);
      const isReady = way.sender.state === 'ready';
      hops.notice(
        way.setup.hop,
        isReady ||
          way.bearers.some(({ relay }) => relay.isResting || (relay.sender.duty === 'standing-by' && relay.sender.mayStand)),
        nowMs,
      );
    }
    hops.pump(nowMs);
    return hops.changeCount + this.#takeOvers === before ? 'same' : 'changed';
  }

  get wakeAtMs(): number | undefined {
    return earliest(this.#store.hops.wakeAtMs, ...this.#ways.map(({ againAtMs }) => againAtMs));
  }

  describe(): string {
    const [way] = this.#ways;
    if (way === undefined) return 'none';
    const { kind } = way.setup.uplinks[0] ?? { kind: 'none' };
    return `${kind} ${way.sender.state} ${way.sender.receiver}`.trimEnd();
  }

  stats(nowMs: number): UplinkStats[] {
    return this.#ways.flatMap(({ setup, sender, bearers }) => {
      const { isInUse, sinceMs } = this.#store.hops.state(setup.hop);
      return setup.uplinks.map(({ name, kind, central }): UplinkStats => {
        const bearer = bearers.find(({ uplink }) => uplink.name === name);
        const meter = this.#meters.get(name);
        const isOnDuty = bearer === undefined || bearer.relay.sender.duty === 'on-duty';
        return {
          name,
          kind,
          state: stateOf(sender, bearer),
          node: sender.receiver === '' && kind === 'mqtt' ? central : sender.receiver,
          use: isInUse && isOnDuty ? 'in-use' : 'spare',
          sinceMs: Math.max(0, Math.floor(nowMs - (bearers.length > 1 && bearer !== undefined ? bearer.sinceMs : sinceMs))),
          ...(meter && { metered: meteredStats(meter, nowMs) }),
        };
      });
    });
  }

  #chooseBearer(way: Way, nowMs: number): void {
    const { bearers, sender } = way;
    if (bearers.length < 2) return;
    for (const bearer of bearers) {
      const { relay } = bearer;
      const stands = relay.isResting || (relay.sender.duty === 'on-duty' ? sender.state === 'ready' : relay.sender.mayStand);
      if (stands === bearer.stands) continue;
      bearer.stands = stands;
      bearer.sinceMs = nowMs;
    }
    const current = bearers.find(({ relay }) => relay.sender.duty === 'on-duty');
    const choice = chooseWay(bearers, current, { ...this.#patience, nowMs });
    way.againAtMs = choice.againAtMs !== undefined && choice.againAtMs > nowMs ? choice.againAtMs : undefined;
    if (choice.way === current) return;
    invariant(choice.way !== undefined && current !== undefined, 'one of several is on duty');
    this.#takeOvers += 1;
    current.relay.sender.standBy();
    choice.way.relay.sender.takeOver(nowMs);
  }
}

function stateOf(sender: CustodySender, bearer: Bearer | undefined): UplinkStats['state'] {
  if (bearer === undefined) return sender.state;
  const { relay } = bearer;
  if (relay.isResting && sender.state !== 'forked') return 'resting';
  if (relay.sender.duty === 'on-duty') return sender.state;
  return relay.sender.mayStand ? 'stands-by' : 'idle';
}

function meteredStats({ cap, sentBytes, opensAtMs }: Meter, nowMs: number): NonNullable<UplinkStats['metered']> {
  return { ...cap, sentBytes, waitMs: Math.max(0, Math.ceil(opensAtMs - nowMs)) };
}
