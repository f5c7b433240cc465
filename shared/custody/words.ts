/**
 * Words to the sender of a message about what became of it: messages to the `$admin` of its origin (docs/queues.md, "Acknowledgements").
 *
 *   asked for   in its queue        received       ends before its queue   ends in its queue
 *   reach       ACK_REACH_QUEUE                    the class
 *   receive                         ACK_RECEIVE    the class               the class
 *   full        ACK_REACH_QUEUE     ACK_RECEIVE    the class               the class
 *
 * A word is like any other message but for this: it asks for none itself, and nothing is kept of it where it cannot be delivered.
 */
import { encodeCbor } from '../message/cbor.ts';
import type { EndingClass } from '../message/classes.ts';
import { type Identity, identityText } from '../message/identity.ts';
import type { Acknowledge, Properties } from '../message/message.ts';
import { ADMIN_QUEUE } from './message-room.ts';

export const CBOR_TYPE = 'application/cbor';

/** A message whose sender may have asked. */
export interface Asked extends Pick<Properties, 'acknowledge' | 'appSpecific'> {
  readonly identity: Identity;
}

/** What is told. An ending: `before` the message was in its queue, or `in` it. */
export type Told =
  | 'ACK_REACH_QUEUE'
  | 'ACK_RECEIVE'
  | { readonly class: EndingClass; readonly where: 'before its queue' | 'in its queue'; readonly reason?: string };

export function wants(acknowledge: Acknowledge | undefined, what: Told): boolean {
  if (acknowledge === undefined) return false;
  if (what === 'ACK_REACH_QUEUE') return acknowledge !== 'receive';
  return acknowledge !== 'reach' || (what !== 'ACK_RECEIVE' && what.where === 'before its queue');
}

/** True when somebody may have to be told how a message ends that lies here. */
export function isAttended({ acknowledge }: Properties, where: 'on its way' | 'in its queue'): boolean {
  return acknowledge !== undefined && (where === 'on its way' || acknowledge !== 'reach');
}

export function wordTo(asked: Asked, what: Told, node: string): WordContent {
  const { identity, appSpecific } = asked;
  const label = typeof what === 'string' ? what : what.class;
  const correlationId = identityText(identity);
  const fields = new Map([
    ['class', label],
    ['identity', correlationId],
    ['node', node],
  ]);
  if (typeof what !== 'string' && what.reason !== undefined) fields.set('reason', what.reason);
  const body = encodeCbor(fields);
  const properties: Properties = {
    contentType: CBOR_TYPE,
    label,
    correlationId,
    deadLetter: 'off',
    ...(appSpecific !== undefined && { appSpecific }),
  };
  return { destination: `${identity.origin}/${ADMIN_QUEUE}`, content: { body, properties } };
}

interface WordContent {
  readonly destination: string;
  readonly content: { readonly body: Uint8Array; readonly properties: Properties };
}
