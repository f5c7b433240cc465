/** The kinds of values a configuration has: what each takes from the text, and the typed value it becomes. */
import { hasCode } from '../../errors.ts';
import { formatAddress, isName, isQueueName, NODE_QUEUE, parseAddress } from '../../message/address.ts';
import { isNamePattern } from '../../message/name-pattern.ts';
import { isTopicDestination, topicOf, topicProblem } from '../../message/topic-destination.ts';
import { filterProblem } from '../../message/topic-filter.ts';
import { templateProblem } from '../../message/topic-template.ts';
import { fileBytesOf, geometryFor } from '../../ring/geometry.ts';
import { formatHostPort, type HostPort, type LineAddress, parseHostPort, parseLineAddress, parsePath } from './line-address.ts';
import { ok, quoted, type ReadResult, wrong } from './read-result.ts';
import { formatSize, parseSize, SIZE_FORMS } from './sizes.ts';
import type { TomlValue } from './toml.ts';

export interface Kind<T> {
  /** What it is, with its article: for who left it out or wrote something else. */
  readonly what: string;
  /** `directory` is where relative paths start. */
  read(value: TomlValue, directory: string): ReadResult<T>;
  /** Stands in for a value that is wrong or missing until all problems are known. Never leaves this folder. */
  readonly standIn: T;
}

/** Largest ring, in bytes. Beyond it the index of its messages fits no machine; a slip of the pen comes here. */
export const RING_BYTES_MAX = 2 ** 40;
/** What a TCP port number of a broker is when its URL has none. */
const BROKER_PORTS: ReadonlyMap<string, number> = new Map([
  ['mqtt:', 1883],
  ['mqtts:', 8883],
]);
/** How a name is spelled, for a message. */
export const NAME_RULE = '[a-z0-9][a-z0-9_-]{0,62}';

export const nodeName: Kind<string> = textKind(`a name: ${NAME_RULE}`, 'unnamed', (text) =>
  isName(text) ? ok(text) : wrong(`${quoted(text)} is not a name: ${NAME_RULE}`),
);

/** Any text that is not empty: what it means is for others to say. */
export const plainText: Kind<string> = textKind('a text', '-', (text) => (text === '' ? wrong('it is empty') : ok(text)));

/** Up to so many characters, or none. */
export function textUpTo(lengthMax: number): Kind<string> {
  return textKind(`a text of up to ${lengthMax} characters`, '', (text) =>
    text.length > lengthMax ? wrong(`it has ${text.length} characters, not up to ${lengthMax}`) : ok(text),
  );
}

/** A queue of this node, by its name. */
export const queueName: Kind<string> = textKind('a name of a queue', '$dead', (text) =>
  isQueueName(text) && text !== NODE_QUEUE
    ? ok(text)
    : wrong(`${quoted(text)} is not a name of a queue: ${NAME_RULE}, or $dead, $journal, $admin`),
);

export const filePath: Kind<string> = textKind('a path', '/', parsePath);

/** Rights of a socket, as `chmod` writes them. */
export const fileMode: Kind<number> = textKind('a mode, like "660"', 0, (text) =>
  /^0?[0-7]{3}$/.test(text)
    ? ok(Number.parseInt(text, 8))
    : wrong(`${quoted(text)} is not a mode: three digits from 0 to 7, like "660"`),
);

export const hostPort: Kind<HostPort> = textKind('<host>:<port>', { host: '127.0.0.1', port: 1 }, (text) => {
  const parsed = parseHostPort(text);
  return parsed.kind === 'ok' && parsed.value.port === 0
    ? wrong('port 0 is none: the URL of the broker names this port')
    : parsed;
});

/** An MQTT broker, its port always written out. Secrets have their own keys: a URL ends up in logs. */
export const brokerUrl: Kind<string> = textKind('a URL, like "mqtt://127.0.0.1:1883"', 'mqtt://127.0.0.1:1883', (text) => {
  if (text.includes('@')) return wrong('a URL with a user in it is refused: write username and passwordFile');
  const shape = /^(mqtts?:)\/\/([^/?#]*)\/?$/.exec(text);
  if (shape === null) return wrong(`${quoted(text)} is not mqtt://<host>:<port> or mqtts://<host>:<port>`);
  const [, scheme = '', authority = ''] = shape;
  const hasPort = /:\d+$/.test(authority);
  const parsed = parseHostPort(hasPort ? authority : `${authority}:${BROKER_PORTS.get(scheme)}`);
  if (parsed.kind === 'wrong') return parsed;
  return parsed.value.port === 0 ? wrong('port 0 cannot be connected to') : ok(`${scheme}//${formatHostPort(parsed.value)}`);
});

/**
 * `baudRate` is that of a serial port whose text names none. Port 0 means a free port, so it is for listening only; bytes of fewer than
 * eight bits are for controllers only: a link has all 256.
 */
export function lineAddress(options: { baudRate: number; use: 'dial' | 'listen' | 'controller' }): Kind<LineAddress> {
  const { baudRate, use } = options;
  const what = 'a line, like "serial:/dev/ttyUSB0?baud=115200", "unix:/run/x.sock" or "tcp:127.0.0.1:7001"';
  return textKind(what, { kind: 'unix', path: '/' }, (text, directory) => {
    const parsed = parseLineAddress(text, { directory, baudRate });
    if (parsed.kind === 'wrong') return parsed;
    const { value } = parsed;
    if (value.kind === 'tcp' && value.port === 0 && use !== 'listen') return wrong('port 0 cannot be connected to');
    const isNarrow = (value.kind === 'serial' || value.kind === 'serial-match') && value.dataBits !== 8;
    return isNarrow && use !== 'controller' ? wrong(`dataBits ${value.dataBits}: a link has bytes of eight bits`) : parsed;
  });
}

/** A queue of this node or of another one; always with its node in the result. */
export function address(self: string): Kind<string> {
  return textKind('an address, like "central/bags"', `${self}/$dead`, (text) => {
    if (isTopicDestination(text)) return wrong('only routes lead to topics');
    try {
      return ok(formatAddress(parseAddress(text, self)));
    } catch (error) {
      if (!hasCode(error, 'NAME_INVALID')) throw error;
      return wrong(`${quoted(text)} is not an address: ${error.details.reason}`);
    }
  });
}

/** Names, or patterns of some. */
export const namePattern: Kind<string> = textKind('a name, or a pattern with *', '*', (text) =>
  isNamePattern(text) ? ok(text) : wrong(`${quoted(text)} is not a name, nor a pattern of names: a * stands for any characters`),
);

/** What MQTT clients may publish to. */
export const topicFilter: Kind<string> = textKind('a topic, like "sensors/+/temperature"', '#', (text) => {
  const reason = filterProblem(text);
  return reason === undefined ? ok(text) : wrong(`${quoted(text)}: ${reason}`);
});

/** Each of a list, none or several. */
export function listOf<T>(one: Kind<T>): Kind<readonly T[]> {
  return {
    what: `a list, each of it ${one.what}`,
    standIn: [],
    read: (value, directory) => {
      if (value.kind !== 'array') return wrong(`expected a list, not ${described(value)}`);
      const items: T[] = [];
      for (const item of value.items) {
        const read = one.read(item, directory);
        if (read.kind === 'wrong') return read;
        items.push(read.value);
      }
      return ok(items);
    },
  };
}

/** Where a route leads: an address, always with its node in the result, or `topic:<topic>`. */
export function routeGoal(self: string): Kind<string> {
  const own = address(self);
  const what = 'an address, or "topic:<topic>"';
  return {
    what,
    standIn: own.standIn,
    read: (value, directory) => {
      if (value.kind !== 'string') return wrong(`expected ${what}, not ${described(value)}`);
      if (!isTopicDestination(value.value)) return own.read(value, directory);
      const topic = topicOf(value.value);
      const reason = topicProblem(topic) ?? templateProblem(topic);
      return reason === undefined ? ok(value.value) : wrong(`${quoted(value.value)}: ${reason}`);
    },
  };
}

/** One pattern of names or several. */
export function namePatterns(countMax: number): Kind<readonly string[]> {
  const what = `one or up to ${countMax} patterns of names, like ["site-*", "central"]`;
  return {
    what,
    standIn: ['*'],
    read: (value) => {
      const items = value.kind === 'array' ? value.items : [value];
      if (items.length === 0 || items.length > countMax) return wrong(`expected ${what}, not ${items.length}`);
      const patterns: string[] = [];
      for (const item of items) {
        if (item.kind !== 'string') return wrong(`expected ${what}, not ${described(item)}`);
        if (!isNamePattern(item.value))
          return wrong(`${quoted(item.value)} is not a pattern: a name with * in place of any part`);
        patterns.push(item.value);
      }
      return ok(patterns);
    },
  };
}

export function oneOf<T extends string>(first: T, ...others: readonly T[]): Kind<T> {
  const choices = [first, ...others];
  const listed = choices.join(', ');
  return textKind(`one of ${listed}`, first, (text) => {
    const choice = choices.find((candidate) => candidate === text);
    return choice === undefined ? wrong(`${quoted(text)} is not one of ${listed}`) : ok(choice);
  });
}

export function oneNumberOf<T extends number>(first: T, ...others: readonly T[]): Kind<T> {
  const choices = [first, ...others];
  const listed = choices.join(', ');
  return {
    what: `one of ${listed}`,
    standIn: first,
    read: (value) => {
      if (value.kind !== 'integer') return wrong(`expected one of ${listed}, not ${described(value)}`);
      const choice = choices.find((candidate) => BigInt(candidate) === value.value);
      return choice === undefined ? wrong(`${shown(value.value)} is not one of ${listed}`) : ok(choice);
    },
  };
}

export const flag: Kind<boolean> = {
  what: 'true or false',
  // What is allowed raises no further problem.
  standIn: true,
  read: (value) => (value.kind === 'boolean' ? ok(value.value) : wrong(`expected true or false, not ${described(value)}`)),
};

/** A whole number from `min` to `max`, both included. */
export function whole(range: { min: number; max: number }): Kind<number> {
  const { min, max } = range;
  return {
    what: `a whole number from ${min} to ${max}`,
    standIn: min,
    read: (value) => {
      if (value.kind !== 'integer') return wrong(`expected a whole number, not ${described(value)}`);
      const isInside = value.value >= BigInt(min) && value.value <= BigInt(max);
      return isInside ? ok(Number(value.value)) : wrong(`${shown(value.value)} is not within ${min} to ${max}`);
    },
  };
}

/** A number from `min` to `max`, both included, fractions too. */
export function numberWithin(range: { min: number; max: number }): Kind<number> {
  const { min, max } = range;
  return {
    what: `a number from ${min} to ${max}`,
    standIn: min,
    read: (value) => {
      if (value.kind !== 'integer' && value.kind !== 'float') return wrong(`expected a number, not ${described(value)}`);
      const number = Number(value.value);
      return number >= min && number <= max ? ok(number) : wrong(`${shown(value.value)} is not within ${min} to ${max}`);
    },
  };
}

/** Bytes of messages that a queue may hold. */
export const byteLimit: Kind<number> = sizeKind((bytes) => (bytes > 0 ? ok(bytes) : wrong('0 bytes take no message')));

/** Bytes of the ring that are kept for somebody; none by default. */
export const byteCount: Kind<number> = { ...sizeKind(ok), standIn: 0 };

/** A size within a range, both ends included. */
export function sizeWithin(range: { min: number; max: number }): Kind<number> {
  const { min, max } = range;
  const within = `is not within ${formatSize(min)} to ${formatSize(max)}`;
  return sizeKind((bytes) => (bytes >= min && bytes <= max ? ok(bytes) : wrong(`${formatSize(bytes)} ${within}`)));
}

/** Length of a ring file, in bytes. What is over whole blocks is left away. */
export const ringBytes: Kind<number> = sizeKind((bytes) => {
  if (bytes > RING_BYTES_MAX) return wrong(`${formatSize(bytes)} is more than ${formatSize(RING_BYTES_MAX)}`);
  try {
    return ok(wholeRingBytes(bytes));
  } catch (error) {
    if (!hasCode(error, 'RING_SIZE_INVALID')) throw error;
    return wrong(`${formatSize(bytes)} is too small for a ring: it takes at least ${error.details.bytesMin} bytes`);
  }
});

/** Length of the ring that fits `bytes`: whole blocks. @throws RING_SIZE_INVALID */
export function wholeRingBytes(bytes: number): number {
  return fileBytesOf(geometryFor(bytes));
}

function sizeKind(check: (bytes: number) => ReadResult<number>): Kind<number> {
  return {
    what: `a size: ${SIZE_FORMS}`,
    standIn: 2 ** 24,
    read: (value) => {
      if (value.kind !== 'string' && value.kind !== 'integer') return wrong(`expected ${SIZE_FORMS}, not ${described(value)}`);
      const bytes = parseSize(String(value.value));
      return bytes === undefined ? wrong(`${quoted(String(value.value))} is not a size: ${SIZE_FORMS}`) : check(bytes);
    },
  };
}

function textKind<T>(what: string, standIn: T, read: (text: string, directory: string) => ReadResult<T>): Kind<T> {
  return {
    what,
    standIn,
    read: (value, directory) =>
      value.kind === 'string' ? read(value.value, directory) : wrong(`expected ${what}, not ${described(value)}`),
  };
}

/** What somebody wrote instead. */
export function described(value: TomlValue): string {
  switch (value.kind) {
    case 'string':
      return 'a string';
    case 'integer':
      return 'a number';
    case 'float':
      return 'a fraction';
    case 'boolean':
      return String(value.value);
    case 'date':
      return 'a date';
    case 'array':
      return 'a list';
    case 'table':
      return 'a table';
  }
}

/** A number may have as many digits as the file has characters. */
function shown(value: bigint | number): string {
  const text = String(value);
  return text.length > 20 ? `a number of ${text.length} digits` : text;
}
