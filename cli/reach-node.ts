/**
 * The node a command talks to.
 *
 *   --socket   the node behind that socket
 *   --ring     that ring, opened here; with --socket only when nobody answers there
 *   neither    the node behind the usual socket, else the usual ring
 *
 * A ring named alone is never looked for behind a socket: the node there may be another one's.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, RingmailError } from '../shared/errors.ts';
import { ApiClient } from '../shared/node/api/client.ts';
import type { LocalNodeOptions } from '../shared/node/local-node.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import type { OptionSpecs } from './args.ts';
import type { World } from './world.ts';

/** Where `ringmail node --dev` puts them, from the working directory. */
export const SOCKET_DEFAULT = '.ringmail/ringmail.sock';
export const RING_DEFAULT = '.ringmail/ringmail.ring';

/** A node that starts holds its ring before it listens. Above what opening a large ring takes. */
const START_MS_MAX = 10_000;
const START_RETRY_MS = 100;

export const REACH_OPTIONS = {
  socket: { type: 'string', value: 'path', help: `socket of the node's local API; or RINGMAIL_SOCKET; else ./${SOCKET_DEFAULT}` },
  ring: { type: 'string', value: 'path', help: `ring file to open when no node runs; or RINGMAIL_RING; else ./${RING_DEFAULT}` },
  'allow-volatile': { type: 'boolean', help: 'open the ring file even where a power cut empties it (tmpfs, a RAM disk)' },
} as const satisfies OptionSpecs;

export interface Place {
  /** Undefined: no node is asked. */
  readonly socketPath: string | undefined;
  /** Undefined: no ring is opened. */
  readonly ringPath: string | undefined;
  /** Whether a ring in memory may be opened. */
  readonly volatile: 'refuse' | 'allow';
}

interface Given {
  readonly socket?: string;
  readonly ring?: string;
  readonly 'allow-volatile'?: boolean;
}

/** Which of the two a command line means. */
export function placeOf(values: Given, world: World): Place {
  const socket = values.socket ?? (values.ring === undefined ? world.env.RINGMAIL_SOCKET : undefined);
  const ring = values.ring ?? (values.socket === undefined ? world.env.RINGMAIL_RING : undefined);
  const neither = socket === undefined && ring === undefined;
  const whole = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(world.cwd, path));
  return {
    socketPath: whole(neither ? SOCKET_DEFAULT : socket),
    ringPath: whole(neither ? RING_DEFAULT : ring),
    volatile: values['allow-volatile'] === true ? 'allow' : 'refuse',
  };
}

/** `opened`: by this command, so nobody else can send or receive meanwhile. */
type Where = 'served' | 'opened';
type Use<T> = (node: NodeCalls, where: Where) => Promise<T>;

/**
 * Runs `use` with the node, or with a node of its own over the ring, closed when `use` is done.
 * @throws NODE_UNREACHABLE when nobody answers and there is no ring, RING_LOCKED when a node holds the ring and does not answer
 */
export async function withNode<T>(place: Place, world: World, use: Use<T>): Promise<T> {
  const deadlineMs = performance.now() + START_MS_MAX;
  while (true) {
    try {
      return await withNodeNow(place, use);
    } catch (error) {
      const isStarting = error instanceof NotYet && place.socketPath !== undefined && performance.now() < deadlineMs;
      if (!isStarting || world.signal.aborted) throw error instanceof NotYet ? error.cause : error;
      await sleep(START_RETRY_MS);
    }
  }
}

/** A ring that was locked before `use` could begin: trying again does nothing twice. */
class NotYet extends Error {}

async function withNodeNow<T>({ socketPath, ringPath, volatile }: Place, use: Use<T>): Promise<T> {
  const client = socketPath === undefined ? undefined : await connectTo(socketPath);
  if (client instanceof ApiClient) {
    try {
      return await use(client, 'served');
    } finally {
      client.close();
    }
  }
  if (ringPath !== undefined && existsSync(ringPath)) return openRing({ ringPath, volatile }, use);
  throw client ?? new RingmailError('RING_NOT_FOUND', { path: ringPath ?? '' });
}

/** The node's client, or why there is none. */
async function connectTo(socketPath: string): Promise<ApiClient | RingmailError<'NODE_UNREACHABLE'>> {
  const client = new ApiClient({ socketPath });
  try {
    await client.version();
    return client;
  } catch (error) {
    client.close();
    if (hasCode(error, 'NODE_UNREACHABLE')) return error;
    throw error;
  }
}

async function openRing<T>(ring: LocalNodeOptions, use: Use<T>): Promise<T> {
  const { withLocalNode } = await import('../shared/node/local-node.ts');
  let hasBegun = false;
  const begin = (node: NodeCalls): Promise<T> => {
    hasBegun = true;
    return use(node, 'opened');
  };
  try {
    return await withLocalNode(ring, begin);
  } catch (error) {
    if (!hasBegun && hasCode(error, 'RING_LOCKED')) throw new NotYet('another process has the ring', { cause: error });
    throw error;
  }
}
