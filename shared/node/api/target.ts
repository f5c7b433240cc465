/** What a request line asks for: path and query, strictly read. What is not understood is refused, never guessed at or ignored. */
import { RingmailError } from '../../errors.ts';
import { percentDecode } from './percent.ts';

export interface Target {
  /** `/v1/send/bags` is v1, send, bags. */
  readonly segments: readonly string[];
  readonly query: Query;
}

/** @throws REQUEST_INVALID */
export function parseTarget(url: string): Target {
  if (!url.startsWith('/')) throw invalid('the path starts with /');
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const segments = path.slice(1).split('/').map(decode);
  return { segments, query: new Query(mark < 0 ? '' : url.slice(mark + 1)) };
}

/** The parameters of a request. Whoever reads them takes each one it knows, then refuses the others. */
export class Query {
  readonly #values = new Map<string, string>();

  /** @throws REQUEST_INVALID when a parameter stands there twice or is not encoded as it should be */
  constructor(text: string) {
    for (const pair of text.split('&')) {
      if (pair === '') continue;
      const equals = pair.indexOf('=');
      const name = decode(plusIsSpace(equals < 0 ? pair : pair.slice(0, equals)));
      if (this.#values.has(name)) throw invalid(`parameter ${name} stands there twice`);
      this.#values.set(name, equals < 0 ? '' : decode(plusIsSpace(pair.slice(equals + 1))));
    }
  }

  /** The value, taken out. */
  take(name: string): string | undefined {
    const value = this.#values.get(name);
    this.#values.delete(name);
    return value;
  }

  /** Those whose name starts with `prefix`, by what follows it, taken out. */
  takePrefixed(prefix: string): ReadonlyMap<string, string> {
    const taken = new Map<string, string>();
    for (const [name, value] of this.#values) if (name.startsWith(prefix)) taken.set(name.slice(prefix.length), value);
    for (const name of taken.keys()) this.#values.delete(prefix + name);
    return taken;
  }

  /** A whole number within the bounds, taken out; `missing` when it is not there. @throws REQUEST_INVALID */
  takeWhole(name: string, bounds: { min: number; max: number; missing: number }): number {
    const text = this.take(name);
    if (text === undefined) return bounds.missing;
    const value = wholeOf(text);
    if (value === undefined || value < bounds.min || value > bounds.max) {
      throw invalid(`${name} is not a whole number from ${bounds.min} to ${bounds.max}`);
    }
    return value;
  }

  /** `name*` stands for all that begin so. @throws REQUEST_INVALID for one that is not among the known */
  refuseUnknown(known: ReadonlySet<string>): void {
    for (const name of this.#values.keys()) {
      const isKnown = known.has(name) || (name.includes(':') && known.has(`${name.slice(0, name.indexOf(':') + 1)}*`));
      if (!isKnown) throw invalid(`parameter ${name} is not known here`);
    }
  }

  /** @throws REQUEST_INVALID when something is left that nobody took: a misspelt property must not be lost silently */
  refuseOthers(): void {
    const [name] = this.#values.keys();
    if (name !== undefined) throw invalid(`parameter ${name} is not known here`);
  }
}

/** Digits only, exact as a number. */
export function wholeOf(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}

function plusIsSpace(text: string): string {
  return text.replaceAll('+', ' ');
}

function decode(text: string): string {
  return percentDecode(text) ?? refuse(`${text.slice(0, 80)} is not percent-encoded UTF-8`);
}

function refuse(reason: string): never {
  throw invalid(reason);
}

function invalid(reason: string): RingmailError<'REQUEST_INVALID'> {
  return new RingmailError('REQUEST_INVALID', { reason });
}
