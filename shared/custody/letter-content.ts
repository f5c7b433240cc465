import { RingmailError } from '../errors.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import type { NewBody } from './intake.ts';

/** What a dead letter shows of a message that came by custody: the message, or the bytes as they came where they are none. */
export function contentOf(envelope: Uint8Array): Pick<NewBody, 'body' | 'properties' | 'history'> {
  try {
    const {
      identity: _identity,
      epoch: _epoch,
      previous: _previous,
      transaction: _transaction,
      body,
      history,
      ...properties
    } = decodeEnvelope(envelope).message;
    return { body, properties, ...(history && { history }) };
  } catch (error) {
    if (!(error instanceof RingmailError)) throw error;
    return { body: envelope, properties: { contentType: 'application/octet-stream' } };
  }
}
