/**
 * Packets sent that ask for an acknowledgement: their numbers, which arrived, which are lost. A line keeps its order, so what is
 * missing before the newest that arrived is lost, at once and for sure; only what was sent last needs a timer (round-trip.ts).
 *
 *   sent ──▶ outstanding ── shown by an ACK ──▶ arrived
 *                 └── before the largest of an ACK and not shown, or given up for its age ──▶ lost (a repeat has a new number)
 */
import { PACKET_NUMBERS } from './packet-layout.ts';

export interface SentPacket<Content> {
  /** Position since the session began; modulo the count of numbers it is the packet number. */
  readonly position: number;
  readonly bytes: number;
  /** When its last bit leaves. */
  readonly sentAtMs: number;
  readonly content: Content;
}

export interface Acknowledged<Content> {
  readonly arrived: readonly SentPacket<Content>[];
  readonly lost: readonly SentPacket<Content>[];
  /** The newest one, if this is the first word of it: its time is a sample of the round trip. */
  readonly newest: SentPacket<Content> | undefined;
}

export class Outstanding<Content> {
  /** Packets from the oldest outstanding one to the newest, at most. */
  readonly window: number;
  readonly #numbers: number;
  #packets: SentPacket<Content>[] = [];
  #next = 0;

  /** `numbers`: how many packet numbers there are. One further back than half of them is none that was sent. */
  constructor(window: number, numbers = PACKET_NUMBERS) {
    this.window = window;
    this.#numbers = numbers;
  }

  get count(): number {
    return this.#packets.length;
  }

  get nextPn(): number {
    return this.#next % this.#numbers;
  }

  /** Numbers that may still be used before something old must be known to have arrived or to be lost. */
  get room(): number {
    const oldest = this.#packets[0]?.position ?? this.#next;
    return this.window - (this.#next - oldest);
  }

  /** The same, were the newest one taken back. */
  get roomWithoutNewest(): number {
    return this.#packets.length > 1 ? this.room : this.window;
  }

  /** The packet with `nextPn` is on its way. */
  sent(packet: Omit<SentPacket<Content>, 'position'>): void {
    this.#packets.push({ position: this.#next, ...packet });
    this.#next += 1;
  }

  /** What an ACK says about them. Undefined when it speaks of a number never sent. */
  acknowledged(ack: { readonly largest: number; readonly bitmap: Uint8Array }): Acknowledged<Content> | undefined {
    const back = (this.#next - 1 - ack.largest + 2 * this.#numbers) % this.#numbers;
    const largest = this.#next - 1 - back;
    if (largest < 0) return this.#next === 0 || ack.largest === this.#numbers - 1 ? NOTHING : undefined;
    if (back >= this.#numbers / 2) return undefined;
    const arrived: SentPacket<Content>[] = [];
    const lost: SentPacket<Content>[] = [];
    const left: SentPacket<Content>[] = [];
    for (const packet of this.#packets) {
      if (packet.position > largest) left.push(packet);
      else if (packet.position === largest || shows(ack.bitmap, largest - 1 - packet.position)) arrived.push(packet);
      else lost.push(packet);
    }
    this.#packets = left;
    const last = arrived.at(-1);
    return { arrived, lost, newest: last?.position === largest ? last : undefined };
  }

  /** The newest never left whole: its sender knows before anybody else. Its number is used up. */
  takeBackNewest(): SentPacket<Content> | undefined {
    const newest = this.#packets.at(-1);
    return newest?.position === this.#next - 1 ? this.#packets.pop() : undefined;
  }

  /** The oldest is called lost without proof: nobody answers, and the window is full. */
  giveUpOldest(): SentPacket<Content> | undefined {
    return this.#packets.shift();
  }
}

const NOTHING = { arrived: [], lost: [], newest: undefined };

/** Without a bitmap nothing is missing; one that does not reach a packet says that it is. */
function shows(bitmap: Uint8Array, bit: number): boolean {
  return bitmap.length === 0 || ((bitmap[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
}
