/** JSON of others inside JSON of ours: what may be put there as it was written. */
import { JSON_DEPTH_MAX } from '../limits.ts';

/**
 * True for JSON that any parser takes in: not nested deeper than JSON_DEPTH_MAX, and no half of a surrogate pair written as an escape.
 * A body that some reader's parser refuses must not make the whole answer unreadable, lease and all.
 */
export function isPlainJson(text: string): boolean {
  return isJson(text) && isTame(text);
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // a SyntaxError: that is the answer
  }
}

/** Of well-formed JSON from UTF-8, where only an escape can be half a pair. */
function isTame(json: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '"') isInString = !isInString;
    else if (isInString) {
      if (char !== '\\') continue;
      const length = escapeLength(json, i);
      if (length === undefined) return false;
      i += length - 1;
    } else if (char === '[' || char === '{') {
      depth += 1;
      if (depth > JSON_DEPTH_MAX) return false;
    } else if (char === ']' || char === '}') depth -= 1;
  }
  return true;
}

/** Of the escape at `start`, in characters, a surrogate pair counted as one; undefined for half a pair. */
function escapeLength(json: string, start: number): number | undefined {
  const [, unit = '', next = ''] = /^\\u(.{4})(?:\\u(.{4}))?/.exec(json.slice(start, start + 12)) ?? [];
  if (unit === '') return 2;
  if (!/^d[89a-f]/i.test(unit)) return 6;
  return /^d[89ab]/i.test(unit) && /^d[c-f]/i.test(next) ? 12 : undefined;
}
