/**
 * Patterns of names: a name in which each `*` stands for any part of one, also for none of it. `*` alone is every name.
 *
 *   site-*    site-1, site-north, site-
 *   *         every name
 */

/** Stars of one pattern: each may cost a look at every character of a name. */
const STAR_COUNT_MAX = 8;
const PATTERN = /^[a-z0-9*$][a-z0-9*_-]{0,62}$/;

export function isNamePattern(text: string): boolean {
  return PATTERN.test(text) && text.split('*').length - 1 <= STAR_COUNT_MAX;
}

/** True when the pattern stands for this name. Takes the first place for each part: no pattern makes it slow. */
export function fitsPattern(pattern: string, name: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return pattern === name;
  if (!name.startsWith(head) || name.length < head.length + tail.length || !name.endsWith(tail)) return false;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at + tail.length <= name.length;
}
