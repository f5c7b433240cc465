/** An MQTT client that does only what it is told, packet by packet: for what well-behaved libraries never do. */
import { connect, type Socket } from 'node:net';

export interface RawPacket {
  /** The first byte: type in the upper half, flags in the lower. */
  readonly type: number;
  readonly rest: Buffer;
}

export const PUBACK = 0x40;
export const PUBREC = 0x50;
export const PUBREL = 0x62;
export const PUBCOMP = 0x70;
export const SUBACK = 0x90;
export const CONNACK = 0x20;
export const DISCONNECT = Buffer.from([0xe0, 0]);

export class RawMqtt {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  readonly #packets: RawPacket[] = [];
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port });
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.socket.on('error', () => {}); // the close that follows is what counts
    this.socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  send(...packets: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(packets));
  }

  /** The next packet; 'closed' when the connection ended and all were taken. */
  async next(): Promise<RawPacket | 'closed'> {
    for (;;) {
      const packet = this.#packets.shift();
      if (packet !== undefined) return packet;
      if (this.#isClosed) return 'closed';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What came and was not taken. */
  get arrived(): readonly RawPacket[] {
    return this.#packets;
  }

  /** Gone without a word. */
  async drop(): Promise<void> {
    if (this.#isClosed) return;
    const closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.destroy();
    await closed;
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    // What a server says here is short: one byte of length.
    for (let length = this.#bytes[1]; length !== undefined && this.#bytes.length >= 2 + length; length = this.#bytes[1]) {
      this.#packets.push({ type: this.#bytes[0] ?? 0, rest: this.#bytes.subarray(2, 2 + length) });
      this.#bytes = this.#bytes.subarray(2 + length);
    }
    this.#wake();
  }
}

export interface RawConnect {
  readonly clientId: string;
  readonly session?: 'clean' | 'kept';
  readonly protocol?: 4 | 5;
  readonly will?: { readonly topic: string; readonly payload: string; readonly qos: 0 | 1 | 2 };
}

export function connectPacket({ clientId, session = 'clean', protocol = 4, will }: RawConnect): Buffer {
  const flags = (session === 'clean' ? 2 : 0) | (will === undefined ? 0 : 4 | (will.qos << 3));
  const properties = protocol === 5 ? [Buffer.of(0)] : [];
  const willBytes = will === undefined ? [] : [text(will.topic), text(will.payload)];
  return packet(0x10, text('MQTT'), Buffer.of(protocol, flags, 0, 60), ...properties, text(clientId), ...willBytes);
}

export interface RawPublish {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly packetId?: number;
  readonly flags?: number;
}

/** `flags`: 8 is DUP, 1 is RETAIN. */
export function publishPacket({ topic, payload, qos, packetId = 1, flags = 0 }: RawPublish): Buffer {
  const id = qos === 0 ? [] : [Buffer.of(packetId >> 8, packetId & 0xff)];
  return packet(0x30 | flags | (qos << 1), text(topic), ...id, Buffer.from(payload));
}

/** PUBREL and its like. */
export function idPacket(type: number, packetId: number): Buffer {
  return packet(type, Buffer.of(packetId >> 8, packetId & 0xff));
}

export function subscribePacket(topic: string): Buffer {
  return packet(0x82, Buffer.of(0, 9), text(topic), Buffer.of(1));
}

function packet(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const rest = Buffer.concat(parts);
  const length: number[] = [];
  for (let left = rest.length; ; left = Math.floor(left / 128)) {
    length.push(left < 128 ? left : 0x80 | (left % 128));
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.of(type, ...length), rest]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}
