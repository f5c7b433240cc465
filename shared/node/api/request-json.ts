/**
 * JSON in requests, read as strictly as their queries: every member has a type, and one that is not known is refused. What is too deep
 * for some parsers is refused before this one reads it.
 */
import { RingmailError } from '../../errors.ts';
import { isPlainJson } from '../../message/plain-json.ts';
import { exactText } from './body-forms.ts';

/** @throws REQUEST_INVALID */
export function parseJson(body: Uint8Array): unknown {
  const text = exactText(body);
  if (text === undefined || !isPlainJson(text)) throw invalid('the body is not JSON');
  return JSON.parse(text);
}

/** The members of a JSON object. Whoever reads them takes each one it knows, then refuses the others. */
export class Members {
  readonly #where: string;
  readonly #values: Map<string, unknown>;

  /** `where`: what this is, for who wrote it. @throws REQUEST_INVALID for what is no object */
  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where} is not an object`);
    this.#where = where;
    this.#values = new Map(Object.entries(value));
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The value, taken out. */
  take(name: string): unknown {
    const value = this.#values.get(name);
    this.#values.delete(name);
    return value;
  }

  /** @throws PROPERTY_INVALID */
  takeText(name: string): string | undefined {
    const value = this.take(name);
    if (value === undefined || typeof value === 'string') return value;
    throw new RingmailError('PROPERTY_INVALID', { property: name, reason: 'not a text' });
  }

  /** @throws PROPERTY_INVALID */
  takeWhole(name: string): number | undefined {
    const value = this.take(name);
    if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0)) return value;
    throw new RingmailError('PROPERTY_INVALID', { property: name, reason: 'not a whole number' });
  }

  /** @throws REQUEST_INVALID when it is not there, PROPERTY_INVALID when it is no text */
  needText(name: string): string {
    const value = this.takeText(name);
    if (value === undefined) throw invalid(`${this.#where} has no ${name}`);
    return value;
  }

  /** @throws PROPERTY_INVALID for what is not base64 of something */
  takeBytes(name: string): Uint8Array | undefined {
    const text = this.takeText(name);
    if (text === undefined) return undefined;
    const bytes = new Uint8Array(Buffer.from(text, 'base64'));
    const isExact = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') === text;
    if (!isExact) throw new RingmailError('PROPERTY_INVALID', { property: name, reason: 'not base64' });
    return bytes;
  }

  /** A table of texts. @throws PROPERTY_INVALID */
  takeTexts(name: string): Map<string, string> | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new RingmailError('PROPERTY_INVALID', { property: name, reason: 'not an object of texts' });
    }
    const texts = new Map<string, string>();
    for (const [key, text] of Object.entries(value)) {
      if (typeof text !== 'string')
        throw new RingmailError('PROPERTY_INVALID', { property: name, reason: 'not an object of texts' });
      texts.set(key, text);
    }
    return texts;
  }

  /** @throws REQUEST_INVALID when something is left that nobody took */
  refuseOthers(): void {
    const [name] = this.#values.keys();
    if (name !== undefined) throw invalid(`${this.#where} has a member ${name.slice(0, 80)}, which is not known there`);
  }
}

function invalid(reason: string): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason });
}
