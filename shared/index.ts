/** `ringmail`: what an application uses of it. */
export type { Durability, Health, HealthCode, QueueStats, Received, Stats, StreamStats } from './core/calls.ts';
export { type ErrorCode, type ErrorDetails, hasCode, RingmailError } from './errors.ts';
export { type Address, formatAddress, parseAddress } from './message/address.ts';
export type { Hop } from './message/envelope.ts';
export { type Epoch, type Identity, identityText, parseIdentity, type StreamKey } from './message/identity.ts';
export type { Ending, Message, Properties } from './message/message.ts';
export { ApiClient, type ApiClientOptions } from './node/api/client.ts';
export {
  type Delivery,
  LocalNode,
  type OpenOptions,
  openNode,
  type ReceiveOptions,
  type SendOptions,
  type Sent,
} from './node/library.ts';
export type { QueueDefinition, RemoteWhenFull, WhenFull } from './queue/queue-options.ts';
