/** What an application gives as a body, as bytes, and back. */
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from '../../message/cbor.ts';
import type { Message, Properties } from '../../message/message.ts';
import { SmallPieces } from '../../message/small-pieces.ts';

/** A `Uint8Array` is kept byte for byte; anything else is encoded as CBOR. */
export type Body = Uint8Array | CborInput;

const CBOR_TYPE = 'application/cbor';

/** Bytes of their own, so that whoever changes the value later changes nothing that was sent. @throws CBOR_UNENCODABLE */
export function contentOf(body: Body, properties: Properties): { body: Uint8Array; properties: Properties } {
  if (body instanceof Uint8Array) return { body: copied(body), properties };
  return { body: encodeCbor(body), properties: { contentType: CBOR_TYPE, ...properties } };
}

/** For bodies on their way to a node: none stays once its message is planned, or no longer waits for room. */
const pieces = new SmallPieces();

function copied(body: Uint8Array): Uint8Array {
  const copy = pieces.take(body.length);
  copy.set(body);
  return copy;
}

/** The value that was sent, the bytes if it was bytes. @throws CBOR_INVALID */
export function bodyValue({ contentType, body }: Pick<Message, 'contentType' | 'body'>): CborValue {
  return contentType === CBOR_TYPE ? decodeCbor(body) : body;
}

/** A message that whoever has it may change: nothing of it is anybody else's. */
export function copyOf(message: Message): Message {
  const { headers, history } = message;
  return {
    ...message,
    body: message.body.slice(),
    ...(headers && { headers: new Map(headers) }),
    ...(history && { history: history.map((ending) => ({ ...ending })) }),
  };
}
