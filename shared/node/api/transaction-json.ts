/**
 * A transaction as JSON, both ways (docs/local-api.md, "Transactions").
 *
 *   {"steps": [
 *     {"do": "send", "destination", …properties…, "headers": {}, "contentType", one of "body" | "bodyText" | "bodyBase64" or none},
 *     {"do": "ack", "lease"},
 *     {"do": "deadLetter", "lease", "reason"},
 *     {"do": "move", "lease", "to"},
 *     {"do": "position", "name", "valueBase64"}]}
 *
 * `body` is any JSON value; its bytes are that value written anew, without spaces. The client of this project writes `bodyBase64`.
 */

import { unreachable } from '../../assert.ts';
import { toUtf8 } from '../../bytes.ts';
import type { TransactionStep } from '../../core/calls.ts';
import { RingmailError } from '../../errors.ts';
import { readProperties } from './message-properties.ts';
import { Members, parseJson } from './request-json.ts';

/** Names of positions that other processes may use. Those of adapters are their own. */
const POSITION_PREFIX = 'trigger/';

/** @throws REQUEST_INVALID, PROPERTY_INVALID */
export function readSteps(body: Uint8Array): TransactionStep[] {
  const members = new Members(parseJson(body), 'a transaction');
  const steps = members.take('steps');
  members.refuseOthers();
  if (!Array.isArray(steps)) throw invalid('a transaction has a list of steps');
  return steps.map((step, index) => readStep(new Members(step, `step ${index}`)));
}

/** The whole name, if it is one that other processes may use. @throws ACCESS_DENIED */
export function checkPositionName(name: string): string {
  if (name.startsWith(POSITION_PREFIX)) return name;
  const reason = `positions whose names do not begin with ${POSITION_PREFIX} are those of adapters`;
  throw new RingmailError('ACCESS_DENIED', { client: '', needed: 'position', reason });
}

function readStep(members: Members): TransactionStep {
  const step = stepOf(members.needText('do'), members);
  members.refuseOthers();
  return step;
}

function stepOf(what: string, members: Members): TransactionStep {
  switch (what) {
    case 'send':
      return { do: 'send', destination: members.needText('destination'), ...readMessage(members) };
    case 'ack':
      return { do: 'ack', lease: members.needText('lease') };
    case 'deadLetter':
      return { do: 'deadLetter', lease: members.needText('lease'), reason: members.takeText('reason') ?? '' };
    case 'move':
      return { do: 'move', lease: members.needText('lease'), to: members.needText('to') };
    case 'position': {
      const value = members.takeBytes('valueBase64') ?? new Uint8Array(0);
      return { do: 'position', name: checkPositionName(members.needText('name')), value };
    }
    default:
      throw invalid(`${what.slice(0, 80)} is no step: send, ack, deadLetter, move, position`);
  }
}

function readMessage(members: Members): Pick<TransactionStep & { do: 'send' }, 'body' | 'properties'> {
  const { body, type } = readBody(members);
  const contentType = members.takeText('contentType') ?? type;
  const headers = members.takeTexts('headers');
  const properties = readProperties({
    whole: (name) => members.takeWhole(name),
    text: (name) => members.takeText(name),
  });
  return { body, properties: { ...properties, ...(contentType !== undefined && { contentType }), ...(headers && { headers }) } };
}

/** `type`: what the body is when nobody says. */
function readBody(members: Members): { readonly body: Uint8Array; readonly type: string | undefined } {
  const forms = ['body', 'bodyText', 'bodyBase64'].filter((name) => members.has(name));
  if (forms.length > 1) throw invalid(`a message has one body, not ${forms.join(' and ')}`);
  if (members.has('body')) return { body: toUtf8(JSON.stringify(members.take('body'))), type: 'application/json' };
  const text = members.takeText('bodyText');
  if (text !== undefined) return { body: toUtf8(text), type: 'text/plain' };
  return { body: members.takeBytes('bodyBase64') ?? new Uint8Array(0), type: undefined };
}

/** Inverse of `readSteps`. */
export function stepsJson(steps: readonly TransactionStep[]): string {
  return JSON.stringify({ steps: steps.map(stepJson) });
}

function stepJson(step: TransactionStep): object {
  switch (step.do) {
    case 'send': {
      const { destination, body, properties } = step;
      const { headers, ...others } = properties;
      return {
        do: 'send',
        destination,
        ...others,
        ...(headers && { headers: Object.fromEntries(headers) }),
        bodyBase64: base64Of(body),
      };
    }
    case 'ack':
      return { do: 'ack', lease: step.lease };
    case 'deadLetter':
      return { do: 'deadLetter', lease: step.lease, reason: step.reason };
    case 'move':
      return { do: 'move', lease: step.lease, to: step.to };
    case 'position':
      return { do: 'position', name: step.name, valueBase64: base64Of(step.value) };
    default:
      return unreachable(step);
  }
}

export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

function invalid(reason: string): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason });
}
