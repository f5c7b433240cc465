/** `ringmail send`: one message, acknowledged when it is on the disk. */
import { toUtf8 } from '../shared/bytes.ts';
import type { Call } from '../shared/core/calls.ts';
import { parseAddress } from '../shared/message/address.ts';
import { ACKNOWLEDGE, type Properties } from '../shared/message/message.ts';
import { BODY_BYTES_MAX } from '../shared/node/api/api-limits.ts';
import { guessContentType } from '../shared/node/api/body-forms.ts';
import { defineCommand, durationMs, type OptionSpecs, type OptionValues, oneOf, usage, wholeNumber } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { readAll } from './stdin.ts';

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
  'time-to-reach-queue': { type: 'string', value: 'time', help: 'not stored at its destination by then, it ends here' },
  'time-to-be-received': {
    type: 'string',
    value: 'time',
    help: 'not received by then, it expires: it is counted, not delivered',
  },
  'deliver-after': { type: 'string', value: 'time', help: 'not delivered before' },
  acknowledge: {
    type: 'string',
    value: 'what',
    choices: ACKNOWLEDGE,
    help: 'tell $admin when it is stored (reach), received (receive) or both (full), or never will be',
  },
  'no-dead-letter': { type: 'boolean', help: 'keep no copy of it when it is given up' },
  journal: { type: 'boolean', help: 'keep a copy of it in $journal' },
  express: { type: 'boolean', help: 'in memory only: faster, and gone when the node crashes' },
  'send-key': { type: 'string', value: 'text', help: 'sent before under this key, it is not sent again' },
  producer: { type: 'string', value: 'name', help: 'who sends: with --number the same request again does nothing' },
  number: { type: 'string', value: 'n', help: 'number of this request, one higher than the one before' },
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
    const how = howOf(values);
    const body = text === undefined || text === '-' ? await readAll(world, BODY_BYTES_MAX) : toUtf8(text);
    if (body === undefined) return EXIT.interrupted;
    const properties = { ...given, contentType: values['content-type'] ?? guessContentType(body) };
    const call = { verb: 'send', destination: address, body, properties, ...how } as const;
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
  const { priority, label, header, acknowledge } = values;
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
    ...(acknowledge !== undefined && { acknowledge: oneOf('acknowledge', acknowledge, ACKNOWLEDGE) }),
    ...(values['no-dead-letter'] && { deadLetter: 'off' as const }),
    ...(values.journal && { journal: 'on' as const }),
  };
}

type How = Pick<Extract<Call, { verb: 'send' }>, 'waitMs' | 'sendKey' | 'by' | 'delivery'>;

/** How it is sent: what no receiver sees. */
function howOf(values: OptionValues<typeof OPTIONS>): How {
  const { producer, number } = values;
  const sendKey = values['send-key'];
  const wait = values['max-wait'];
  if ((producer === undefined) !== (number === undefined)) throw usage('--producer and --number belong together');
  return {
    ...(wait !== undefined && { waitMs: durationMs('max-wait', wait) }),
    ...(sendKey !== undefined && { sendKey }),
    ...(producer !== undefined && number !== undefined && { by: { producer, number: wholeNumber('number', number) } }),
    ...(values.express && { delivery: 'express' as const }),
  };
}

function parseHeader(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw usage(`--header ${text}: a header is name=value`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
