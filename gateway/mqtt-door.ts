/** What stands behind an MQTT listener that is no broker: it decides on each client and each publish. The adapter of aedes calls it. */

/** Return codes of CONNACK that refuse [MQTT-3.2.2]. */
export const IDENTIFIER_REJECTED = 2;
export const SERVER_UNAVAILABLE = 3;
export const BAD_USER_OR_PASSWORD = 4;
export type ConnackRefusal = typeof IDENTIFIER_REJECTED | typeof SERVER_UNAVAILABLE | typeof BAD_USER_OR_PASSWORD;

/** Ends a connection for a reason that was counted where it was found. */
export class Refusal extends Error {}

export interface Connecting {
  /** '' of a client that gave none. */
  readonly clientId: string;
  readonly session: 'clean' | 'kept';
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
}

export interface MqttPublish {
  readonly kind: 'publish' | 'will';
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: 'retain' | 'plain';
  /** Of QoS 1 and 2; 0 of others. */
  readonly packetId: number;
}

/** A client that was let in. */
export interface DoorGuest {
  /** Something is kept of its session: CONNACK says so. */
  readonly isResumed: boolean;
  /** Resolves when it may be answered, or, with QoS 0, forgotten. Rejects when the connection has to end unanswered. */
  publish(publish: MqttPublish): Promise<void>;
  /** True from before a QoS 2 publish is answered until its id is released. */
  hasPacketId(packetId: number): boolean;
  /** PUBREL came: resolves when PUBCOMP may be said. Rejects when the connection has to end. */
  release(packetId: number): Promise<void>;
}

export interface Door {
  /** @throws nothing: who is not let in gets a code */
  enter(client: Connecting, stream: unknown): Promise<DoorGuest | ConnackRefusal>;
  /** What a client asked to hear, and will not. */
  onSubscribe(): void;
  /** A connection ended for what the client said, or with an error of its own. */
  onTrouble(error: Error): void;
}
