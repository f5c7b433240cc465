/** What can go wrong in the yard, by name. Lines and brokers bring their own lists (medium-faults.ts). */
import { BROKER_FAULTS, LINE_FAULTS } from './medium-faults.ts';

/** To a node as a whole, its process, its machine, or its disk (node-faults.ts). */
export const NODE_FAULT_NAMES: readonly string[] = [
  'power cut',
  'power cut while opening',
  'process killed',
  'killed while opening',
  'restarted',
  'paused',
  'sync fails',
  'sync fails, old cache',
  'sync fails while opening',
  'disk full',
  'disk read-only',
  'disk slow',
  'early writeback',
  'block rots',
  'blocks unreadable',
  'flushes lie',
  'old image',
  'empty disk',
  'moved',
  'cloned',
];
/** To the cables of a yard, not to one line (wiring.ts). */
export const CABLE_FAULT_NAMES: readonly string[] = ['line laid twice', 'cables swapped'];
export const LINE_FAULT_NAMES: readonly string[] = [...LINE_FAULTS.map(({ name }) => name), ...CABLE_FAULT_NAMES];
export const BROKER_FAULT_NAMES: readonly string[] = BROKER_FAULTS.map(({ name }) => name);

/** Where there is more than one way (plan-ways.ts): a device is put into another gateway, what is preferred is away. */
export const MOVES = 'dials another gateway';
export const FIRST_UPLINK_AWAY = 'first uplink away';
export const FIRST_BROKER_AWAY = 'first broker away';
/** Where a route leads to several places: the node of one of them has no power. */
export const PLACE_AWAY = 'place of a route away';
export const WAY_FAULT_NAMES: readonly string[] = [MOVES, FIRST_UPLINK_AWAY, FIRST_BROKER_AWAY, PLACE_AWAY];
export const FAULT_NAMES: readonly string[] = [
  ...NODE_FAULT_NAMES,
  ...LINE_FAULT_NAMES,
  ...BROKER_FAULT_NAMES,
  ...WAY_FAULT_NAMES,
];
