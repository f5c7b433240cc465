/** Patterns of names: a `*` stands for any characters, none included. */

const PATTERN = /^[a-z0-9*][a-z0-9_*-]{0,62}$/;

export function isNamePattern(text: string): boolean {
  return PATTERN.test(text);
}

/** True when the pattern names more than one name. */
export function isOpen(pattern: string): boolean {
  return pattern.includes('*');
}

/** In time that grows with the product of their lengths, whatever they are. */
export function fitsPattern(pattern: string, name: string): boolean {
  let [at, from] = [0, 0];
  // Where the last `*` stands, and up to where of the name it may reach.
  let [star, reach] = [-1, 0];
  while (from < name.length) {
    if (pattern[at] === '*') {
      star = at++;
      reach = from;
    } else if (pattern[at] === name[from]) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      at = star + 1;
      from = ++reach;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
