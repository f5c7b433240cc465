/** `ringmail send`: one message, acknowledged when it is on the disk. */
import { concatBytes, toUtf8 } from '../shared/bytes.ts';
import { RingmailError } from '../shared/errors.ts';
import { parseAddress } from '../shared/message/address.ts';
import type { Properties } from '../shared/message/message.ts';
import { BODY_BYTES_MAX } from '../shared/node/api/api-limits.ts';
import { guessContentType } from '../shared/node/api/body-forms.ts';
import { defineCommand, durationMs, type OptionSpecs, type OptionValues, usage, wholeNumber } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import type { World } from './world.ts';

const OPTIONS = {
  priority: { type: 'string', short: 'p', value: '0-7', help: '7 is most urgent; default 3' },
  'content-type': {
    type: 'string',
    short: 't',
    value: 'type',
    help: 'default: application/json, text/plain or application/octet-stream, by the body',
  },
  label: { type: 'string', short: 'l', value: 'text', help: 'for people and for routes' },
  'correlation-id': { type: 'string', value: 'text', help: 'what this message answers or belongs to' },
  'response-queue': { type: 'string', value: 'address', help: 'where replies shall go' },
  'app-specific': { type: 'string', value: 'n', help: 'a number of the application, 0 to 4294967295' },
  header: {
    type: 'string',
    short: 'H',
    multiple: true,
    value: 'name=value',
    help: 'a header of the application; may be repeated',
  },
  'time-to-reach-queue': { type: 'string', value: 'time', help: 'carried with the message; not enforced yet' },
  'time-to-be-received': {
    type: 'string',
    value: 'time',
    help: 'not received by then, it expires: it is counted, not delivered',
  },
  'deliver-after': { type: 'string', value: 'time', help: 'not delivered before' },
  'max-wait': { type: 'string', value: 'time', help: 'how long to wait for room, where the queue waits; default: as configured' },
  ...REACH_OPTIONS,
  json: { type: 'boolean', help: 'print {"identity", "durable", "durability"} and not just the identity' },
} as const satisfies OptionSpecs;

export const send = defineCommand(
  {
    name: 'send',
    summary: 'send one message to a queue; prints its identity once it is on the disk',
    operands: '<address> [body | -]',
    operandCount: { min: 1, max: 2 },
    options: OPTIONS,
    notes: [
      'The address is <queue>, on this node, or <node>/<queue>. Without a body, or with -, the body is what stdin has, byte for byte.',
      'A body that is a JSON object or array gets the type application/json, other text text/plain, other bytes ' +
        'application/octet-stream. A body that starts with - goes behind --: ringmail send bags -- -5',
      'A time is a whole number and its unit: 500ms, 5s, 2m, 1h, 4d.',
    ],
  },
  async ({ values, operands: [address = '', text] }, world) => {
    parseAddress(address, 'self');
    const given = propertiesOf(values);
    const body = text === undefined || text === '-' ? await readAll(world) : toUtf8(text);
    if (body === undefined) return EXIT.interrupted;
    const properties = { ...given, contentType: values['content-type'] ?? guessContentType(body) };
    const wait = values['max-wait'];
    const waitMs = wait === undefined ? {} : { waitMs: durationMs('max-wait', wait) };
    const call = { verb: 'send', destination: address, body, properties, ...waitMs } as const;
    const result = await withNode(placeOf(values, world), world, (node) => node.call(call));
    if (result.kind !== 'sent') throw new TypeError(`a send was answered with ${result.kind}`);
    const { identity, durability } = result;
    await world.stdout(
      values.json ? `${JSON.stringify({ identity, durable: durability === 'sync', durability })}\n` : `${identity}\n`,
    );
    return EXIT.ok;
  },
);

function propertiesOf(values: OptionValues<typeof OPTIONS>): Properties {
  const { priority, label, header } = values;
  const appSpecific = values['app-specific'];
  const correlationId = values['correlation-id'];
  const responseQueue = values['response-queue'];
  const reach = values['time-to-reach-queue'];
  const received = values['time-to-be-received'];
  const after = values['deliver-after'];
  return {
    ...(priority !== undefined && { priority: wholeNumber('priority', priority) }),
    ...(label !== undefined && { label }),
    ...(correlationId !== undefined && { correlationId }),
    ...(responseQueue !== undefined && { responseQueue }),
    ...(appSpecific !== undefined && { appSpecific: wholeNumber('app-specific', appSpecific) }),
    ...(header !== undefined && { headers: new Map(header.map(parseHeader)) }),
    ...(reach !== undefined && { timeToReachQueueMs: durationMs('time-to-reach-queue', reach) }),
    ...(received !== undefined && { timeToBeReceivedMs: durationMs('time-to-be-received', received) }),
    ...(after !== undefined && { deliverAfterMs: durationMs('deliver-after', after) }),
  };
}

function parseHeader(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw usage(`--header ${text}: a header is name=value`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** All of stdin; undefined when asked to end before it did. @throws MESSAGE_TOO_LARGE before it fills the memory */
function readAll({ stdin, signal }: World): Promise<Uint8Array | undefined> {
  const interrupted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  return Promise.race([readToEnd(stdin), interrupted]);
}

async function readToEnd(stdin: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes, bytesMax: BODY_BYTES_MAX });
    chunks.push(chunk);
  }
  return concatBytes(chunks);
}
