/**
 * The nodes of a hall, as the configurations that they run from: those of the presets, so that what the demo shows is what anybody
 * gets. They and everything of theirs lie in one directory.
 *
 *   full      belt-1 ── device-1 ══ cable ══╗
 *             belt-2 ── device-2 ══ cable ══╬══ gateway ── broker ── central ── application
 *             belt-3 ── device-3 ── socket ─╣
 *             belt-4 ── device-4 ── socket ─╝
 *             with `neighbours` what belt-1 tells goes to device-2, past the gateway, and nowhere else
 *   compact   belt-1 … belt-4 ── node ── broker ── central ── application
 */

import { type PresetOptions, presetText } from '../../shared/node/config/presets.ts';

export type HallShape = 'full' | 'compact';

export const BELT_COUNT = 4;
/** Devices on a cable; the others use sockets. */
export const CABLE_COUNT = 2;
/** Bits per second, of belts and cables. */
export const HALL_BAUD = 115_200;
/** Where the devices without a cable reach the gateway. */
export const LINK_SOCKET = 'link.sock';
/** The queue that the application reads. */
export const HALL_QUEUE = 'bags';

/** Minutes of a hall that nobody empties. */
const DEVICE_RING_SIZE = '4 MiB';
const GATEWAY_RING_SIZE = '16 MiB';

export interface HallNode {
  readonly role: 'device' | 'gateway' | 'node' | 'central';
  readonly name: string;
  /** TOML. Relative paths start at the hall's directory. */
  readonly config: string;
}

export interface HallPlaces {
  /** URL. */
  readonly broker: string;
  /** Where belt i is opened by its node. */
  readonly beltPorts: readonly string[];
  /** The two ends of cable i: what the device opens, and the gateway. Not used by the compact hall. */
  readonly cables: readonly { readonly deviceEnd: string; readonly gatewayEnd: string }[];
  /** Before the names of those who meet at the broker: one that is not ours may have nodes of the usual names. */
  readonly namePrefix: string;
  /** `reached`: belt 1 tells the device of belt 2, in the full hall. */
  readonly neighbours?: Neighbours;
}

export type Neighbours = 'alone' | 'reached';

/** The device that belt 1 tells when neighbours are reached. */
export const NEIGHBOUR = 'device-2';

export function beltLabel(index: number): string {
  return `belt-${index + 1}`;
}

/** In the order of the path, the central last. */
export function hallNodes(shape: HallShape, places: HallPlaces): HallNode[] {
  const { broker, namePrefix } = places;
  const central = `${namePrefix}central`;
  const belts = places.beltPorts.map((port, i) => ({ name: beltLabel(i), port }));
  const centralNode: HallNode = {
    role: 'central',
    name: central,
    config: presetText('central', { name: central, broker, ringSize: GATEWAY_RING_SIZE, queues: [HALL_QUEUE] }),
  };
  if (shape === 'compact') {
    const name = `${namePrefix}node`;
    return [
      { role: 'node', name, config: presetText('device', { name, broker, central, belts, ringSize: GATEWAY_RING_SIZE }) },
      centralNode,
    ];
  }
  const devices = belts.map((belt, i): HallNode => {
    const name = `device-${i + 1}`;
    const line = places.cables[i]?.deviceEnd ?? `unix:${LINK_SOCKET}`;
    return {
      role: 'device',
      name,
      config: presetText('device', { name, central, line, ringSize: DEVICE_RING_SIZE, ...sorted(belt, i, places.neighbours) }),
    };
  });
  const name = `${namePrefix}gateway`;
  const listen = [...places.cables.map(({ gatewayEnd }) => gatewayEnd), `unix:${LINK_SOCKET}`];
  const gateway: HallNode = {
    role: 'gateway',
    name,
    config: presetText('gateway', { name, broker, central, listen, ringSize: GATEWAY_RING_SIZE }),
  };
  return [...devices, gateway, centralNode];
}

/** The belts of a device, and its queues, where neighbours tell each other. */
function sorted(
  belt: { name: string; port: string },
  index: number,
  neighbours: Neighbours = 'alone',
): Pick<PresetOptions, 'belts' | 'queues'> {
  if (neighbours === 'alone') return { belts: [belt] };
  const belts = [index === 0 ? { ...belt, destination: `${NEIGHBOUR}/${HALL_QUEUE}` } : belt];
  return `device-${index + 1}` === NEIGHBOUR ? { belts, queues: [HALL_QUEUE] } : { belts };
}
