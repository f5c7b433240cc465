/** The properties of a queue in a request: a JSON object with the names of QueueOptions. Ranges and words are the node's to judge. */
import { RingmailError } from '../../errors.ts';
import { QUEUE_DEFAULTS, type QueueOptions } from '../../queue/queue-options.ts';
import { Members, parseJson } from './request-json.ts';

const OPTIONS: Readonly<Record<string, unknown>> = { bytesLimit: 0, ...QUEUE_DEFAULTS };
export const QUEUE_OPTION_NAMES: readonly string[] = Object.keys(OPTIONS);

/** An empty body says nothing. @throws REQUEST_INVALID, PROPERTY_INVALID */
export function readQueueOptions(body: Uint8Array): Partial<QueueOptions> {
  if (body.length === 0) return {};
  const members = new Members(parseJson(body), 'the properties of a queue');
  const options: Record<string, unknown> = {};
  for (const [name, usual] of Object.entries(OPTIONS)) {
    const value = typeof usual === 'string' ? members.takeText(name) : takeNumber(members, name);
    if (value !== undefined) options[name] = value;
  }
  members.refuseOthers();
  return options as Partial<QueueOptions>;
}

/** Factors need not be whole. */
function takeNumber(members: Members, name: string): number | undefined {
  const value = members.take(name);
  if (value === undefined || typeof value === 'number') return value;
  throw new RingmailError('PROPERTY_INVALID', { property: name, reason: 'not a number' });
}
