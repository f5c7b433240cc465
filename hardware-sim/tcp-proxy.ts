/**
 * A cable between two sockets that can be cut: listens on the loopback device and passes everything on to one target, both ways.
 *
 *   whoever dials ──▶ 127.0.0.1:port ══ proxy ══ target
 *
 * Cut, it ends what it carries and every new connection at once: what an unplugged switch looks like to those on both sides of it, a
 * moment after they noticed. What is under way is lost. Slow readers make the other side wait, so it holds no more than two sockets do.
 */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

export type TcpTarget = { readonly host: string; readonly port: number } | { readonly path: string };

export class TcpProxy {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  readonly #server: Server;
  readonly #target: TcpTarget;
  readonly #sockets = new Set<Socket>();
  #state: 'whole' | 'cut' = 'whole';

  private constructor(server: Server, target: TcpTarget) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => this.#carry(socket));
  }

  /** Resolves when it listens, on a free port unless one is named. Whole at first. */
  static open(target: TcpTarget, port = 0): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: '127.0.0.1', port }, () => resolve(new TcpProxy(server, target)));
    });
  }

  /** Connections carried now. */
  get connectionCount(): number {
    return this.#sockets.size / 2;
  }

  cut(): void {
    this.#state = 'cut';
    for (const socket of this.#sockets) socket.destroy();
  }

  /** What it carries now stands still, and nobody is told; new connections are carried as ever. */
  stall(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  restore(): void {
    this.#state = 'whole';
  }

  /** Resolves when it listens no more and carries nothing. */
  close(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #carry(near: Socket): void {
    if (this.#state === 'cut') {
      near.destroy();
      return;
    }
    const far = connect({ ...this.#target, allowHalfOpen: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      // An error is followed by `close`, which ends the other side: that is all it means to a cable.
      socket.on('error', () => undefined);
      socket.pipe(other);
    }
  }
}
