/** What an application gives as a body, as bytes, and back. */
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from '../../message/cbor.ts';
import type { Message, Properties } from '../../message/message.ts';

/** A `Uint8Array` is kept byte for byte; anything else is encoded as CBOR. */
export type Body = Uint8Array | CborInput;

const CBOR_TYPE = 'application/cbor';

/** Bytes of their own, so that whoever changes the value later changes nothing that was sent. @throws CBOR_UNENCODABLE */
export function contentOf(body: Body, properties: Properties): { body: Uint8Array; properties: Properties } {
  if (body instanceof Uint8Array) return { body: copied(body), properties };
  return { body: encodeCbor(body), properties: { contentType: CBOR_TYPE, ...properties } };
}

/** Of small ones many share a piece of memory: one of its own for each would cost a send more than the rest of the library. */
function copied(body: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.from(body);
  return new Uint8Array(buffer, byteOffset, length);
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
