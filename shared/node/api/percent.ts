/** Percent-encoding of the UTF-8 of any text [RFC 3986 §2.1], and back, strictly. */

const PLAIN = /^[A-Za-z0-9._~-]*$/;

/** Never throws: half of a surrogate pair becomes U+FFFD, as everywhere. */
export function percentEncode(text: string): string {
  if (PLAIN.test(text)) return text;
  let encoded = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9._~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Undefined for a stray `%` and for bytes that are not UTF-8. */
export function percentDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // a URIError: that is the answer
  }
}
