/** `ringmail`: what an application uses of it. */
export type {
  Access,
  Durability,
  Health,
  HealthCode,
  ProducerNumber,
  QueueStats,
  Received,
  SendOutcome,
  Share,
  Stats,
  StreamStats,
} from './core/calls.ts';
export { type ErrorCode, type ErrorDetails, hasCode, RingmailError } from './errors.ts';
export { type Address, formatAddress, parseAddress } from './message/address.ts';
export type { Hop } from './message/envelope.ts';
export { type Epoch, type Identity, identityText, parseIdentity, type StreamKey } from './message/identity.ts';
export type { Ending, Message, Properties } from './message/message.ts';
export { ApiClient, type ApiClientOptions } from './node/api/client.ts';
export { type ClientOptions, RingmailClient } from './node/library/client.ts';
export type { ConsumeOptions, Consumer, Handler, StopOptions } from './node/library/consumer.ts';
export type { Cursor, CursorOptions } from './node/library/cursor.ts';
export type { Delivered, DeliverOptions } from './node/library/deliveries.ts';
export type { Delivery, Seen } from './node/library/delivery.ts';
export type { MessagesOptions } from './node/library/messages.ts';
export type { OpenQueueOptions, QueueHandle } from './node/library/queue-handle.ts';
export type { Glance, PeekOptions, ReceiveOptions } from './node/library/receiving.ts';
export type { RequestOptions } from './node/library/requests.ts';
export type { SendOptions, Sent, SentAll } from './node/library/sending.ts';
export type { Committed, Transaction, TransactionOptions } from './node/library/transaction.ts';
export type { Trigger, TriggerAction, TriggerOptions } from './node/library/triggers.ts';
export { type ConnectOptions, connectNode, LocalNode, type OpenOptions, openNode, RemoteNode } from './node/library.ts';
export type { NodeCalls } from './node/node-calls.ts';
export type {
  Journal,
  Ordering,
  QueueDefinition,
  QueueOptions,
  QueueState,
  RemoteWhenFull,
  WhenFull,
} from './queue/queue-options.ts';
export { type Place, parsePlace, placeText, type Selector } from './queue/selector.ts';
