/** What an application gives as a body, as bytes, and back. */
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from '../../message/cbor.ts';
import type { Message, Properties } from '../../message/message.ts';

/** A `Uint8Array` is kept byte for byte; anything else is encoded as CBOR. */
export type Body = Uint8Array | CborInput;

const CBOR_TYPE = 'application/cbor';

/** Bytes of their own, so that whoever changes the value later changes nothing that was sent. @throws CBOR_UNENCODABLE */
export function contentOf(body: Body, properties: Properties): { body: Uint8Array; properties: Properties } {
  // Of a small one the copy is a part of a larger piece of memory, which costs a tenth of one of its own.
  if (body instanceof Uint8Array) return { body: Buffer.from(body), properties };
  return { body: encodeCbor(body), properties: { contentType: CBOR_TYPE, ...properties } };
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
