/** The local API over the network: a server for HTTPS, or for HTTP where only this machine reaches it. Who asks shows a token. */
import { readFileSync } from 'node:fs';
import { createServer, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { RingmailError } from '../../errors.ts';
import type { ApiRemoteConfig } from '../config/config.ts';
import { formatHostPort, type HostPort, isLoopback } from '../config/line-address.ts';
import { parseTokens, type TokenEntry } from './tokens.ts';

export interface RemoteOptions {
  readonly listen: HostPort;
  /** PEM. Without them only this machine may reach it. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly tokens: readonly TokenEntry[];
}

/** A dead reader of a stream is found out after about this long without a word, in ms. */
const KEEP_ALIVE_MS = 30_000;

/** What the configuration names, read. @throws CONFIG_INVALID with every problem, none of which repeats a secret */
export function readRemote(config: ApiRemoteConfig): RemoteOptions {
  const issues: string[] = [];
  const read = (key: string, path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      issues.push(`api.${key}: ${error instanceof Error ? error.message : String(error)}`);
      return '';
    }
  };
  const { entries, problems } = parseTokens(read('tokens', config.tokens));
  issues.push(...problems.map((problem) => `api.tokens: ${problem}`));
  const { certFile, keyFile } = config;
  const tls =
    certFile === undefined || keyFile === undefined
      ? undefined
      : { cert: read('certFile', certFile), key: read('keyFile', keyFile) };
  if (issues.length > 0) throw new RingmailError('CONFIG_INVALID', { issues });
  return { listen: config.listen, tls, tokens: entries };
}

/** @throws CONFIG_INVALID for certificates that are none, and for plain HTTP that other machines would reach */
export function createRemoteServer(remote: RemoteOptions, options: ServerOptions & { headersTimeout: number }): Server {
  const { listen, tls } = remote;
  if (tls === undefined) {
    if (isLoopback(listen.host)) return createServer(options);
    throw refused(`api.listen: other machines reach ${listen.host}: that takes certFile and keyFile`);
  }
  try {
    const server = createTlsServer({
      ...options,
      ...tls,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: options.headersTimeout,
    });
    server.on('connection', (socket: Socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
    // A handshake that fails is its client's trouble: the connection is closed, and there is nobody to answer.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return server;
  } catch (error) {
    throw refused(`api.certFile, api.keyFile: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Resolves with the place once it is listened to; port 0 becomes the one it got. @throws SOCKET_UNUSABLE, SOCKET_IN_USE */
export function listenAt(server: Server, { host, port }: HostPort): Promise<HostPort> {
  const socket = formatHostPort({ host, port });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      const reason = error.message;
      reject(isTaken ? new RingmailError('SOCKET_IN_USE', { socket }) : new RingmailError('SOCKET_UNUSABLE', { socket, reason }));
    });
    server.listen({ host, port }, () => {
      server.removeAllListeners('error');
      resolve({ host, port: (server.address() as AddressInfo).port });
    });
  });
}

function refused(issue: string): RingmailError<'CONFIG_INVALID'> {
  return new RingmailError('CONFIG_INVALID', { issues: [issue] });
}
