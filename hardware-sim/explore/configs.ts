/**
 * What is explored: by name, within which bounds, and which share of the states. Bounds are small on purpose: what goes wrong in a
 * protocol goes wrong with two messages and two failures, if they come at the right moment.
 */
import type { CustodyBounds, CustodyNode } from './custody-bounds.ts';
import { CustodyWorld } from './custody-world.ts';
import { type LinkBounds, LinkWorld } from './link-world.ts';
import type { Weakening } from './weakenings.ts';
import type { World } from './world.ts';

export interface Config {
  readonly name: string;
  /** For people. */
  readonly what: string;
  /** Of all states that are asked for. */
  readonly share: number;
  readonly make: (weakening?: Weakening) => World;
}

const DEFAULTS = { offers: 3, harm: 'none', harmed: 0, closes: 0, accounts: 'none' } as const;
const NO_FAULTS = { cuts: [0, 0], ticks: [1, 1], drops: 0, repeats: 0, stale: 0 } as const;
/** A session stands, and its first item will confirm it. */
const IN_SESSION = ['0 offer:c', '1 hear:0', '0 hear:1'];
/** Both gateways have sessions with the centre, the device one with the first. That has the first message, and has not said so yet. */
const AT_FIRST_GATEWAY = [
  ...['0 offer:g', '1 hear:0', '0 hear:1', '1 offer:c', '3 hear:2', '1 hear:3', '2 offer:c', '3 hear:4', '2 hear:5'],
  ...['0 send:0:3', '0 take:0:g', '1 hear:6'],
];
/** Its disk takes a step for what others take none for. */
const AT_SLOW_GATEWAY = AT_FIRST_GATEWAY.flatMap((action) => (action === '1 hear:3' ? [action, '1 flush'] : [action]));

/** The device has moved to the second gateway, which has elsewhere and the second message; the first has the first. */
const AFTER_FAILOVER = [
  ...AT_FIRST_GATEWAY,
  ...[
    '0 hear:7',
    '0 move',
    '0 send:1:3',
    '0 offer:h',
    '2 hear:8',
    '0 hear:9',
    '0 take:0:h',
    '0 take:0:h',
    '2 hear:10',
    '2 hear:11',
  ],
];
/** The same below a node in the middle, which has a session with the centre. */
const BELOW_A_SITE = [
  ...['0 offer:g', '1 hear:0', '0 hear:1', '1 offer:s', '3 hear:2', '1 hear:3', '2 offer:s', '3 hear:4', '2 hear:5'],
  ...['3 offer:c', '4 hear:6', '3 hear:7', '0 send:0:3', '0 take:0:g', '1 hear:8'],
];
/** The device has moved, and the node in the middle has passed over what the first gateway still has. */
const PASSED_OVER = [
  ...BELOW_A_SITE,
  ...['0 hear:9', '0 move', '0 send:1:3', '0 offer:h', '2 hear:10', '0 hear:11', '0 take:0:h', '0 take:0:h', '2 hear:12'],
  ...['2 hear:13', '2 take:0:s', '2 take:0:s', '3 hear:16', '3 hear:17'],
];
const PASSED_OVER_SLOWLY = PASSED_OVER.flatMap((action) =>
  ['3 hear:7', '3 hear:16', '3 hear:17'].includes(action) ? [action, '3 flush'] : [action],
);

function device(cuts: number, uplinks: readonly string[] = ['c']): CustodyNode {
  return { name: 'd', role: 'source', cuts, uplinks };
}

function gateway(name: string, cuts: number, uplink = 'c'): CustodyNode {
  return { name, role: 'gateway', cuts, uplinks: [uplink] };
}

function centre(cuts: number): CustodyNode {
  return { name: 'c', role: 'destination', cuts, uplinks: [] };
}

const CLONE: CustodyNode = { name: 'd', role: 'clone', cuts: 0, uplinks: ['c'] };

export const CONFIGS: readonly Config[] = [
  custody(12, 'power cuts of both ends, any word lost, repeated, late or stale', {
    name: 'pair',
    nodes: [device(1), centre(1)],
    messages: [3, 3],
    offers: 2,
  }),
  custody(8, 'more power cuts of the sender alone', { name: 'sender-cuts', nodes: [device(2), centre(0)], messages: [3, 3] }),
  custody(8, 'more power cuts of the receiver alone', { name: 'receiver-cuts', nodes: [device(0), centre(2)], messages: [3, 3] }),
  custody(10, 'the sender is put back to any earlier image, in the middle of anything', {
    name: 'rollback',
    nodes: [device(0), centre(0)],
    messages: [3, 3, 3],
    harm: 'rollback',
  }),
  custody(10, 'the same from within a session, with a stream that the image does not know', {
    name: 'rollback-streams',
    nodes: [device(0), centre(0)],
    messages: [5, 5, 3],
    harm: 'rollback',
    before: IN_SESSION,
  }),
  custody(8, 'the same with a power cut of the sender', {
    name: 'rollback-cuts',
    nodes: [device(1), centre(0)],
    messages: [5, 5],
    harm: 'rollback',
    before: [...IN_SESSION, '0 flush'],
  }),
  custody(8, 'the receiver, whose power may go, is put back', {
    name: 'receiver-rollback-cuts',
    nodes: [device(0), centre(1)],
    messages: [3, 3],
    harm: 'rollback',
    harmed: 1,
    before: IN_SESSION,
  }),
  custody(6, 'the receiver is put back to any earlier image', {
    name: 'receiver-rollback',
    nodes: [device(0), centre(0)],
    messages: [3, 3, 3],
    harm: 'rollback',
    harmed: 1,
    before: IN_SESSION,
  }),
  custody(10, 'a copy of the sender runs beside it', {
    name: 'clone',
    nodes: [device(0), centre(0), CLONE],
    messages: [3, 3, 3],
    harm: 'clone',
    before: IN_SESSION,
  }),
  custody(10, 'a device that moves from one gateway to another: a destination with two neighbours, and elsewhere', {
    name: 'gateways',
    nodes: [device(0, ['g', 'h']), gateway('g', 0), gateway('h', 0), centre(0)],
    messages: [3, 3],
    offers: 5,
    before: AT_FIRST_GATEWAY,
  }),
  custody(8, 'from there on, where the destination may give up what it waits for', {
    name: 'gateways-missing',
    nodes: [device(0, ['g', 'h']), gateway('g', 0), gateway('h', 0), centre(0)],
    messages: [3, 3],
    offers: 6,
    closes: 1,
    before: AFTER_FAILOVER,
  }),
  custody(8, 'the same with power cuts of the destination', {
    name: 'gateways-centre-cuts',
    nodes: [device(0, ['g', 'h']), gateway('g', 0), gateway('h', 0), centre(1)],
    messages: [3, 3],
    offers: 6,
    closes: 1,
    before: AFTER_FAILOVER,
  }),
  custody(8, 'two gateways below a node in the middle: what comes out of turn is carried', {
    name: 'carried',
    nodes: [device(0, ['g', 'h']), gateway('g', 0, 's'), gateway('h', 0, 's'), gateway('s', 0), centre(0)],
    messages: [3, 3],
    offers: 6,
    closes: 1,
    before: PASSED_OVER,
  }),
  custody(8, 'the same with power cuts of the node in the middle', {
    name: 'carried-cuts',
    nodes: [device(0, ['g', 'h']), gateway('g', 0, 's'), gateway('h', 0, 's'), gateway('s', 1), centre(0)],
    messages: [3, 3],
    offers: 6,
    before: PASSED_OVER_SLOWLY,
  }),
  custody(8, 'the same with power cuts of the gateway it left', {
    name: 'gateways-cuts',
    nodes: [device(0, ['g', 'h']), gateway('g', 1), gateway('h', 0), centre(0)],
    messages: [3, 3],
    offers: 5,
    before: AT_SLOW_GATEWAY,
  }),
  link(10, 'a session over a bad line, 8 packet numbers', {
    name: 'link',
    messages: 4,
    packetNumbers: 8,
    drops: 2,
    repeats: 1,
    from: 'session',
  }),
  link(10, 'the same with 4 packet numbers', {
    name: 'link-2-bits',
    messages: 4,
    packetNumbers: 4,
    drops: 2,
    repeats: 1,
    from: 'session',
  }),
  link(10, 'power cuts of both ends in the middle of a session, and a HELLO from before', {
    name: 'link-cuts',
    messages: 2,
    packetNumbers: 8,
    cuts: [1, 1],
    drops: 1,
    stale: 1,
    from: 'session',
  }),
  link(6, 'how a session begins', {
    name: 'link-begin',
    messages: 1,
    packetNumbers: 8,
    ticks: [2, 2],
    drops: 2,
    repeats: 1,
    stale: 1,
    from: 'power-on',
  }),
];

function custody(
  share: number,
  what: string,
  bounds: Partial<CustodyBounds> & Pick<CustodyBounds, 'name' | 'nodes' | 'messages'>,
): Config {
  const make = (weakening?: Weakening) => new CustodyWorld({ ...DEFAULTS, ...bounds, ...(weakening && { weakening }) });
  return { name: bounds.name, what, share, make };
}

function link(
  share: number,
  what: string,
  bounds: Partial<LinkBounds> & Pick<LinkBounds, 'name' | 'messages' | 'packetNumbers' | 'from'>,
): Config {
  const make = (weakening?: Weakening) => new LinkWorld({ ...NO_FAULTS, ...bounds, ...(weakening && { weakening }) });
  return { name: bounds.name, what, share, make };
}
