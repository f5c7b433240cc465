/**
 * Who may use the local API over the network: a file with one line per client.
 *
 *   <name>:<SHA-256 of the token, 64 hex digits>:<rights, comma between>[:<queues, comma between>]
 *
 *   scanner:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08:send:bags,notes
 *
 * Empty lines and those that begin with # are for people. The file has no secret in it: only who has a token can use it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { RingmailError } from '../../errors.ts';
import { isName, isQueueName, parseAddress } from '../../message/address.ts';
import { TOKEN_COUNT_MAX } from './api-limits.ts';
import { ClientAccount } from './client-account.ts';
import { RIGHTS, type Right, type Rights } from './rights.ts';

export interface TokenEntry {
  readonly name: string;
  readonly sha256: Uint8Array;
  readonly rights: Rights;
}

/** The entries, and what is wrong with each line that is none. */
export function parseTokens(text: string): { readonly entries: readonly TokenEntry[]; readonly problems: readonly string[] } {
  const entries: TokenEntry[] = [];
  const problems: string[] = [];
  const names = new Set<string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const entry = parseLine(line);
    const problem = typeof entry === 'string' ? entry : names.has(entry.name) ? `${entry.name} stands there twice` : undefined;
    if (typeof entry !== 'string' && problem === undefined) entries.push(entry);
    if (typeof entry !== 'string') names.add(entry.name);
    if (problem !== undefined) problems.push(`line ${index + 1}: ${problem}`);
  }
  if (entries.length > TOKEN_COUNT_MAX) problems.push(`more than ${TOKEN_COUNT_MAX} tokens`);
  return { entries, problems };
}

/** What is wrong never repeats the line: somebody may have written the token itself there. */
function parseLine(line: string): TokenEntry | string {
  const [name = '', hash = '', rights = '', queues, ...rest] = line.trim().split(':');
  if (!isName(name)) return 'the first field is no name';
  if (!/^[0-9a-f]{64}$/.test(hash)) return `the second field of ${name} is not a SHA-256 in 64 hex digits`;
  const words = rights.split(',');
  const may = new Set(RIGHTS.filter((right) => words.includes(right)));
  if (may.size !== words.length) return `the third field of ${name} is not a list of ${RIGHTS.join(', ')}`;
  const listed = queues?.split(',');
  if (rest.length > 0 || listed?.some((queue) => !isQueueOrAddress(queue)) === true) {
    return `the fourth field of ${name} is not a list of queues`;
  }
  return {
    name,
    sha256: Buffer.from(hash, 'hex'),
    rights: { may: may as ReadonlySet<Right>, queues: listed && new Set(listed) },
  };
}

function isQueueOrAddress(text: string): boolean {
  if (!text.includes('/')) return isQueueName(text);
  try {
    parseAddress(text, '');
    return true;
  } catch {
    return false; // the only thing it throws is NAME_INVALID, and that is the answer here
  }
}

/** The clients behind tokens. What each has in use is counted over all its connections. */
export class TokenDoor {
  readonly #clients: readonly { readonly sha256: Uint8Array; readonly client: ClientAccount }[];

  constructor(entries: readonly TokenEntry[]) {
    this.#clients = entries.map(({ name, sha256, rights }) => ({ sha256, client: new ClientAccount(name, rights) }));
  }

  /**
   * Who that is. Takes the same time whichever token it is, or is not: the hash of what came is compared with each, to its end.
   * @throws TOKEN_INVALID
   */
  enter(authorization: string | undefined): ClientAccount {
    const [, token] = /^Bearer +([!-~]+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) throw invalid('Authorization: Bearer <token> is missing');
    const hash = createHash('sha256').update(token).digest();
    let found: ClientAccount | undefined;
    for (const { sha256, client } of this.#clients) if (timingSafeEqual(sha256, hash)) found = client;
    if (found === undefined) throw invalid('this token is not known here');
    return found;
  }
}

function invalid(reason: string): RingmailError<'TOKEN_INVALID'> {
  return new RingmailError('TOKEN_INVALID', { reason });
}
