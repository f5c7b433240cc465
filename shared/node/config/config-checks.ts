/** What has to hold between the values of a configuration. A check that rests on a wrong value says nothing. */
import { unreachable } from '../../assert.ts';
import { reserveBytesMax } from '../../custody/message-room.ts';
import { isName, isSystemQueue, parseAddress } from '../../message/address.ts';
import { fitsPattern } from '../../message/name-pattern.ts';
import { isTopicDestination } from '../../message/topic-destination.ts';
import { routeProblems } from '../../queue/routes.ts';
import { geometryFor, liveBytesMaxOf } from '../../ring/geometry.ts';
import type { NodeFileConfig } from './config.ts';
import { formatHostPort, type HostPort, type LineAddress, SOCKET_PATH_BYTES_MAX } from './line-address.ts';
import type { Problems } from './problems.ts';
import { quoted } from './read-result.ts';
import { formatPortMatch } from './serial-options.ts';
import { formatSize } from './sizes.ts';

/** `$dead` takes at most this part of what the ring admits, unless it has a limit of its own (shared/core/queue-start.ts). */
const DEAD_SHARE = 8;

export function checkConfig(config: NodeFileConfig, problems: Problems): void {
  checkLimits(config, problems);
  checkCentral(config, problems);
  checkUplinks(config, problems);
  checkPlaces(config, problems);
  if (config.uplinks.length > 1) checkNames(config.uplinks, { list: 'uplinks', one: 'uplink' }, problems);
  checkNames(config.adapters, { list: 'adapters', one: 'adapter' }, problems);
  checkNames(config.triggers, { list: 'triggers', one: 'trigger' }, problems);
  for (const [index, { destination }] of config.adapters.entries()) {
    checkDestination(config, { path: `adapters[${index}].destination`, address: destination }, problems);
  }
  for (const [index, { queue }] of (config.ingress?.rules ?? []).entries()) checkIngressRule(config, { index, queue }, problems);
  for (const index of config.triggers.keys()) checkTrigger(config, index, problems);
  checkRoutes(config, problems);
}

/** A limit is a promise: what all queues may hold at once must fit the ring. */
function checkLimits(config: NodeFileConfig, problems: Problems): void {
  const { queues, queueBytesLimit, ring } = config;
  if (!problems.areSound('ring.size', 'queues', 'queueLimit')) return;
  const bytesMax = liveBytesMaxOf(geometryFor(ring.bytes));
  const admits = `a ring of ${formatSize(ring.bytes)} admits ${formatSize(bytesMax)}`;
  if (queueBytesLimit > bytesMax) return problems.add('queueLimit', `${formatSize(queueBytesLimit)} do not fit: ${admits}`);
  const dead = queues.some(({ name }) => name === '$dead') ? 0 : Math.min(queueBytesLimit, Math.floor(bytesMax / DEAD_SHARE));
  const sum = queues.reduce((bytes, { bytesLimit }) => bytes + bytesLimit, dead);
  if (sum > bytesMax) problems.add('queues', `the limits, $dead's among them, add up to ${formatSize(sum)}: ${admits}`);
  checkReserves(config, problems);
}

/** A reserve is a promise of more: whatever else fills the ring, this much is left. */
function checkReserves({ queues, ring }: NodeFileConfig, problems: Problems): void {
  for (const { name, bytesLimit, bytesReserved } of queues) {
    if (bytesReserved <= bytesLimit) continue;
    const path = `queues.${isName(name) ? name : `"${name}"`}.reserve`;
    problems.add(path, `${formatSize(bytesReserved)} are more than the limit of the queue, ${formatSize(bytesLimit)}`);
  }
  const sum = queues.reduce((bytes, { bytesReserved }) => bytes + bytesReserved, 0);
  const bytesMax = reserveBytesMax(geometryFor(ring.bytes), queues);
  if (sum <= bytesMax) return;
  const keeps = `a ring of ${formatSize(ring.bytes)} can keep ${formatSize(Math.max(0, bytesMax))}`;
  problems.add('queues', `the reserves add up to ${formatSize(sum)}: ${keeps}`);
}

/** Messages for the central are addressed by its name, and are at home on the node of that name only. */
function checkCentral(config: NodeFileConfig, problems: Problems): void {
  const { name, central } = config;
  if (central !== undefined && problems.areSound('name', 'central.name') && central.name !== name) {
    const reason = `${quoted(central.name)} is not the name of this node, ${quoted(name)}: what is sent to ${central.name}/… would not be at home here`;
    problems.add('central.name', reason);
  }
}

/** Two to one central are for two brokers. */
function checkUplinks({ name, uplinks }: NodeFileConfig, problems: Problems): void {
  const first = new Map<string, string>();
  for (const uplink of uplinks) {
    const { at } = uplink;
    if (uplink.kind !== 'mqtt' || !problems.areSound(at)) continue;
    if (problems.areSound('name') && uplink.central === name)
      problems.add(`${at}.central`, `${quoted(name)} is the name of this node`);
    const way = `${uplink.central} ${uplink.broker}`;
    const other = first.get(way);
    if (other === undefined) first.set(way, at);
    else
      problems.add(
        `${at}.broker`,
        `${quoted(uplink.broker)} leads to ${uplink.central} for ${other} already (line ${problems.lineOf(other)})`,
      );
  }
}

/** A file, a socket, a port: each has one use in a node. */
function checkPlaces(config: NodeFileConfig, problems: Problems): void {
  const first = new Map<string, string>();
  for (const { path, place } of placesOf(config)) {
    if (!problems.areSound(path)) continue;
    const other = first.get(place);
    if (other === undefined) first.set(place, path);
    else problems.add(path, `${quoted(place)} is taken by ${other} (line ${problems.lineOf(other)})`);
  }
  for (const { path, socket } of socketsOf(config)) {
    const bytes = Buffer.byteLength(socket);
    if (bytes <= SOCKET_PATH_BYTES_MAX || !problems.areSound(path)) continue;
    problems.add(path, `the whole path of a socket has at most ${SOCKET_PATH_BYTES_MAX} bytes, not ${bytes}: ${quoted(socket)}`);
  }
}

function placesOf(config: NodeFileConfig): { path: string; place: string }[] {
  const places = [
    { path: 'ring.path', place: config.ring.path },
    { path: 'api.socket', place: config.api.socket },
  ];
  if (config.broker !== undefined) places.push({ path: 'broker.listen', place: placeOfHostPort(config.broker) });
  if (config.ingress !== undefined) places.push({ path: 'ingress.listen', place: placeOfHostPort(config.ingress.listen) });
  const { remote } = config.api;
  if (remote !== undefined) places.push({ path: 'api.listen', place: placeOfHostPort(remote.listen) });
  for (const { path, line } of linesOf(config)) {
    // Port 0 is another port every time.
    if (line.kind === 'tcp' && line.port === 0) continue;
    places.push({ path, place: placeOfLine(line) });
  }
  return places;
}

/** Two matches of other words may mean one port: that is seen when it is opened, by its lock. */
function placeOfLine(line: LineAddress): string {
  switch (line.kind) {
    case 'tcp':
      return placeOfHostPort(line);
    case 'serial-match':
      return `serial:?${formatPortMatch(line.match)}`;
    case 'serial':
    case 'unix':
      return line.path;
    default:
      return unreachable(line);
  }
}

function placeOfHostPort({ host, port }: HostPort): string {
  return formatHostPort({ host: host.toLowerCase() === 'localhost' ? '127.0.0.1' : host.toLowerCase(), port });
}

function socketsOf(config: NodeFileConfig): { path: string; socket: string }[] {
  const sockets = linesOf(config).flatMap(({ path, line }) => (line.kind === 'unix' ? [{ path, socket: line.path }] : []));
  return [{ path: 'api.socket', socket: config.api.socket }, ...sockets];
}

function linesOf(config: NodeFileConfig): { path: string; line: LineAddress }[] {
  const { uplinks, links, adapters } = config;
  return [
    ...links.map(({ listen }, index) => ({ path: `links[${index}].listen`, line: listen })),
    ...uplinks.flatMap((uplink) => (uplink.kind === 'link' ? [{ path: `${uplink.at}.line`, line: uplink.line }] : [])),
    ...adapters.map(({ port }, index) => ({ path: `adapters[${index}].port`, line: port })),
  ];
}

/** The place of an adapter, or of a trigger, in the ring goes by its name. */
function checkNames(named: readonly { readonly name: string }[], of: { list: string; one: string }, problems: Problems): void {
  const first = new Map<string, string>();
  for (const [index, { name }] of named.entries()) {
    const path = `${of.list}[${index}].name`;
    if (!problems.areSound(path)) continue;
    const other = first.get(name);
    if (other === undefined) first.set(name, path);
    else problems.add(path, `${quoted(name)} is the name of another ${of.one} (line ${problems.lineOf(other)})`);
  }
}

/** A copy fits as its message does: in the same queue each would be copied again, without end. */
function checkTrigger(config: NodeFileConfig, index: number, problems: Problems): void {
  const { queue = '', send = '' } = config.triggers[index] ?? {};
  const path = `triggers[${index}]`;
  if (problems.areSound(`${path}.queue`)) checkQueue(config, { path: `${path}.queue`, queue }, problems);
  if (!problems.areSound(`${path}.send`)) return;
  const goal = parseAddress(send, config.name).queue;
  if (isSystemQueue(goal)) return problems.add(`${path}.send`, `nobody sends to ${goal}: its node fills it`);
  checkDestination(config, { path: `${path}.send`, address: send }, problems);
  if (!problems.areSound(`${path}.queue`, `${path}.send`, 'name')) return;
  const isSame = send === `${config.name}/${queue}`;
  if (isSame) problems.add(`${path}.send`, 'it is the queue of the trigger itself: no copy would be the last');
}

function checkIngressRule(config: NodeFileConfig, { index, queue }: { index: number; queue: string }, problems: Problems): void {
  const path = `ingress.rules[${index}].queue`;
  if (!problems.areSound(path)) return;
  const goal = parseAddress(queue, config.name).queue;
  if (isSystemQueue(goal)) return problems.add(path, `nobody sends to ${goal}: its node fills it`);
  checkDestination(config, { path, address: queue }, problems);
}

/** What a route cannot deliver would be a dead letter each time: what is known now is said now. */
function checkRoutes(config: NodeFileConfig, problems: Problems): void {
  const { routes, name, uplinks, links, central } = config;
  if (!problems.areSound('routes', 'name')) return;
  for (const { route, key, reason } of routeProblems(routes, name)) {
    problems.add(key === '' ? 'routes' : `routes[${route}].${key}`, reason);
  }
  // Who listens may be met by any node.
  const isMet = links.length > 0 || central !== undefined;
  const leadsTo = (node: string): boolean =>
    isMet || uplinks.some((uplink) => uplink.to.some((pattern) => fitsPattern(pattern, node)));
  for (const [index, { from, to }] of routes.entries()) {
    const path = `routes[${index}]`;
    if (!from.includes('*')) checkQueue(config, { path: `${path}.from`, queue: from }, problems);
    for (const goal of to) {
      if (isTopicDestination(goal)) {
        if (uplinks.every(({ kind }) => kind !== 'mqtt'))
          problems.add(`${path}.to`, `${quoted(goal)} takes an [uplink] of kind "mqtt"`);
        continue;
      }
      const { node, queue } = parseAddress(goal, name);
      if (node === name) checkQueue(config, { path: `${path}.to`, queue }, problems);
      else if (!leadsTo(node)) problems.add(`${path}.to`, `no [uplink] leads from here to ${quoted(node)}, and no [[links]]`);
    }
  }
}

/** An adapter or a trigger cannot tell anybody that what it sends has nowhere to go, so that is found out here. */
function checkDestination(
  config: NodeFileConfig,
  { path, address }: { path: string; address: string },
  problems: Problems,
): void {
  if (!problems.areSound(path, 'name')) return;
  const { node, queue } = parseAddress(address, config.name);
  if (node === config.name && queue === '$dead') return;
  if (node === config.name) return checkQueue(config, { path, queue }, problems);
  const isAlone = config.uplinks.every(({ to }) => !to.some((pattern) => fitsPattern(pattern, node)));
  if (isAlone && problems.areSound('uplink', 'uplinks')) problems.add(path, `no [uplink] leads from here to ${quoted(node)}`);
}

function checkQueue(config: NodeFileConfig, { path, queue }: { path: string; queue: string }, problems: Problems): void {
  const isKnown = isSystemQueue(queue) || config.unknownQueue === 'create' || config.queues.some(({ name }) => name === queue);
  if (!isKnown && problems.areSound('queues', 'unknownQueue')) problems.add(path, `there is no [queues.${queue}] here`);
}
