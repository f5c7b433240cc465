/**
 * How a body is shown where only text can be, and what type it has when nobody said.
 *
 *   contentType                             bytes                     shown as
 *   application/json, …+json                JSON (see `isPlainJson`)  body, the value itself
 *   the same                                UTF-8, not such JSON      bodyText
 *   text/…, …/xml, …+xml, none              UTF-8                     bodyText
 *   any other, or bytes that are not UTF-8                            bodyBase64
 *
 * The form follows from the type, not from the bytes, as far as the bytes allow: a reader of telegrams gets text every time.
 */
import { isUtf8 } from 'node:buffer';
import { isJson, isPlainJson } from '../../message/plain-json.ts';

export type BodyForm =
  /** `json` is the text of the body, on one line. Numbers keep every digit. */
  | { readonly kind: 'json'; readonly json: string }
  /** UTF-8 of `text` is the body, byte for byte. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes' };

export function bodyFormOf(contentType: string | undefined, body: Uint8Array): BodyForm {
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const isJson = type === 'application/json' || type.endsWith('+json');
  const isText = isJson || type === '' || type.startsWith('text/') || type.endsWith('/xml') || type.endsWith('+xml');
  const text = isText ? exactText(body) : undefined;
  if (text === undefined) return { kind: 'bytes' };
  // A line break stands between tokens of JSON only, never inside one: a space there says the same.
  if (isJson && isPlainJson(text)) return { kind: 'json', json: text.replaceAll(/[\r\n]/g, ' ') };
  return { kind: 'text', text };
}

/** The type of a body nobody gave one: JSON when it is an object or an array, else text when it is UTF-8, else bytes. */
export function guessContentType(body: Uint8Array): string {
  const text = exactText(body);
  if (text === undefined) return 'application/octet-stream';
  return /^\s*[[{]/.test(text) && isJson(text) ? 'application/json' : 'text/plain';
}

/** The text whose UTF-8 is exactly these bytes; undefined when there is none. */
export function exactText(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8') : undefined;
}
