/**
 * What the two sides of a session say of the way by which the dialler is reached (docs/link.md, ROUTE; docs/routes.md, section 3), beside
 * the other direction, whose place in an exchange it takes.
 *
 *   dialler   ROUTE in HELLO, and again in a NOTE whenever its epoch here is another one
 *   acceptor  ROUTE in a NOTE: it knows that epoch, or a later one, by another way: the dialler has to go above it
 */
import type { CustodySender } from '../custody/sender.ts';
import type { Downstream } from './downstream.ts';
import type { Inbound } from './inbound.ts';
import type { Outbound } from './outbound.ts';
import type { PacketSize } from './packet-size.ts';
import type { Tlv } from './tlv.ts';

/** The dialler's: where it is attached. */
export interface DiallerRoute {
  /** Its epoch on this way, durable; 0: it is attached by another, or by none. */
  epoch(): number;
  /** The other side wants a later one than this. */
  doubted(epoch: number): void;
}

/** The acceptor's: who is below. */
export interface AcceptorRoute {
  /** The session with a node is confirmed, or that node's epoch is another one; undefined: it knows of none. */
  met(node: string, epoch: number | undefined): void;
  /** Above which epoch it has to go. */
  toTell(node: string): number | undefined;
  /** What hands messages over to it; undefined while it is not below. */
  senderTo(node: string): CustodySender | undefined;
}

export interface RouteTalkOptions {
  /** The other direction, once there is one. */
  readonly inner: () => Downstream | undefined;
  /** What is to be said, as of now; undefined: nothing. It is said whenever it is another than what was said before. */
  readonly toSay: () => number | undefined;
  /** Said in the handshake. */
  readonly said?: number | undefined;
  readonly onHeard: (epoch: number) => void;
}

export class RouteTalk implements Downstream {
  readonly #options: RouteTalkOptions;
  #inner: Downstream | undefined;
  #said: number | undefined;

  constructor(options: RouteTalkOptions) {
    this.#options = options;
    this.#said = options.said;
    this.#inner = options.inner();
  }

  get outbound(): Outbound | undefined {
    return this.#inner?.outbound;
  }

  get inbound(): Inbound | undefined {
    return this.#inner?.inbound;
  }

  get dataSize(): PacketSize | undefined {
    return this.#inner?.dataSize;
  }

  get isQuiet(): boolean {
    return (this.#inner?.isQuiet ?? true) && !this.#hasToSay;
  }

  pump(nowMs: number): void {
    this.#inner ??= this.#options.inner();
    this.#inner?.pump(nowMs);
  }

  takeNote(): readonly Tlv[] | undefined {
    const note = this.#inner?.takeNote();
    if (note !== undefined || !this.#hasToSay) return note;
    this.#said = this.#options.toSay();
    return this.#said === undefined ? undefined : [{ kind: 'route', epoch: this.#said }];
  }

  /** Which of the two it was nobody knows any more: both. */
  lost(): void {
    this.#said = this.#options.said;
    this.#inner?.lost();
  }

  heard(tlvs: readonly Tlv[]): readonly Tlv[] {
    for (const tlv of tlvs) if (tlv.kind === 'route') this.#options.onHeard(tlv.epoch);
    const others = tlvs.filter(({ kind }) => kind !== 'route');
    return this.#inner?.heard(others) ?? others;
  }

  end(): void {
    this.#inner?.end();
  }

  get #hasToSay(): boolean {
    const toSay = this.#options.toSay();
    return toSay !== undefined && toSay !== this.#said;
  }
}
