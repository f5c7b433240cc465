/**
 * Who may publish to an ingress: a file with one line per name.
 *
 *   <name>:<SHA-256 of the password, 64 hex digits>
 *
 * Empty lines and those that begin with # are for people. The file has no secret in it, as long as the passwords are long and random.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { RingmailError } from '../shared/errors.ts';
import { INGRESS_NAME_COUNT_MAX } from '../shared/limits.ts';

export class Passwords {
  readonly #hashes: ReadonlyMap<string, Uint8Array>;

  private constructor(hashes: ReadonlyMap<string, Uint8Array>) {
    this.#hashes = hashes;
  }

  /** @throws CONFIG_INVALID with every problem, none of which repeats a line: somebody may have written the password itself there */
  static read(path: string): Passwords {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw refused([error instanceof Error ? error.message : String(error)]);
    }
    return Passwords.parse(text);
  }

  /** @throws as `read` */
  static parse(text: string): Passwords {
    const hashes = new Map<string, Uint8Array>();
    const problems: string[] = [];
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      const [, name, hash] = /^(.+):([0-9a-f]{64})\s*$/.exec(line) ?? [];
      if (name === undefined || hash === undefined) problems.push(`line ${index + 1}: not <name>:<SHA-256 in 64 hex digits>`);
      else if (hashes.has(name)) problems.push(`line ${index + 1}: ${name} stands there twice`);
      else hashes.set(name, Buffer.from(hash, 'hex'));
    }
    if (hashes.size > INGRESS_NAME_COUNT_MAX) problems.push(`more than ${INGRESS_NAME_COUNT_MAX} names`);
    if (problems.length > 0) throw refused(problems);
    return new Passwords(hashes);
  }

  areRight(name: string | undefined, password: Uint8Array | undefined): boolean {
    const expected = this.#hashes.get(name ?? '');
    const hash = createHash('sha256').update(password ?? new Uint8Array());
    return expected !== undefined && password !== undefined && timingSafeEqual(expected, hash.digest());
  }
}

function refused(problems: readonly string[]): RingmailError<'CONFIG_INVALID'> {
  return new RingmailError('CONFIG_INVALID', { issues: problems.map((problem) => `ingress.passwords: ${problem}`) });
}
