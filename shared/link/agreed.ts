/** What a handshake comes to, for whichever side. */
import type { ReceiverSession } from '../custody/receiver.ts';
import type { Epoch } from '../message/identity.ts';
import type { ReceiveLimits } from './handshake-packets.ts';
import type { Inbound } from './inbound.ts';
import type { Outbound } from './outbound.ts';
import type { PacketSize } from './packet-size.ts';
import type { Tlv } from './tlv.ts';

export interface Peer {
  readonly node: string;
  readonly incarnation: string;
  readonly epoch: Epoch;
  readonly limits: ReceiveLimits;
  /** `at-times`: it sleeps; its silence says nothing. */
  readonly awake: 'always' | 'at-times';
}

export interface Agreed {
  readonly sid: number;
  readonly peer: Peer;
  /** The acceptor's: of what it may offer in this session. */
  readonly acceptorNonce: Uint8Array;
  readonly outbound: Outbound | undefined;
  /** Of the DATA packets of `outbound`. */
  readonly dataSize: PacketSize | undefined;
  readonly inbound: { readonly streams: Inbound; readonly session: ReceiverSession } | undefined;
  readonly keepaliveS: number;
  /** TLVs of the answer, which may offer the other direction. */
  readonly heard: readonly Tlv[];
  /** The dialler's route, as it was in the offer; undefined: it knows of none. */
  readonly route: number | undefined;
  /** What the answer told of the time: the offer was said first at `askedAtMs`, the answer came at `atMs`. Of the dialling side. */
  readonly told: { readonly askedAtMs: number; readonly atMs: number; readonly unixTimeUs: number } | undefined;
}

export type HandshakeEvent =
  | { readonly kind: 'nothing' }
  /** Counted: not for this side, not now, or of another attempt. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'agreed'; readonly agreed: Agreed }
  /** The session is over; a new attempt after the rest. */
  | { readonly kind: 'over'; readonly reason: string; readonly restMs: number }
  /** Another line has the custody sender now. */
  | { readonly kind: 'taken' };
