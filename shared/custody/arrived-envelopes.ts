/**
 * Envelopes that come by custody, opened as far as their way on needs it. What is known of a stream is kept by its key as an object:
 * those of a session come with every message.
 */
import { RingmailError } from '../errors.ts';
import { type Address, isName, parseAddress } from '../message/address.ts';
import { decodeEnvelope, type Hop, withHop } from '../message/envelope.ts';
import { type Identity, identityText, numbered, type StreamKey } from '../message/identity.ts';
import type { Message, Properties } from '../message/message.ts';
import { PlainForm, withPlainHop } from '../message/plain-envelope.ts';
import type { Entering } from './entering.ts';
import type { MessageItem } from './session.ts';

/** One hop further than it came; `hop` says how it came. */
export interface Opened extends Pick<Entering, 'envelope' | 'epoch' | 'hop'> {
  readonly properties: Partial<Message>;
  /** It is carried: its item stands in a stream of the node that carries it, and this is who it is (docs/routes.md, section 2). */
  readonly carried?: Identity;
}

const NO_PROPERTIES: Properties = {};

export class ArrivedEnvelopes {
  readonly #forms = new WeakMap<StreamKey, PlainForm>();
  readonly #addresses = new WeakMap<StreamKey, Address>();
  readonly #self: () => string;

  /** `self`: the name of this node. */
  constructor(self: () => string) {
    this.#self = self;
  }

  /** The envelope with one hop more, or undefined when it is not the message its item says it is. */
  read(key: StreamKey, item: MessageItem): Opened | undefined {
    const plain = item.plain ?? this.#formOf(key).read(item.envelope);
    if (plain !== undefined && plain.number === item.number) {
      const hop = wayOf(plain.hop, item);
      const envelope = withPlainHop(item.envelope, plain.hopOffset, oneFurther(hop));
      return { envelope, epoch: plain.epoch, properties: NO_PROPERTIES, hop };
    }
    try {
      const { message, hop: before } = decodeEnvelope(item.envelope);
      const { identity, epoch } = message;
      const hop = wayOf(before, item);
      const isItself = identityText(identity) === identityText(numbered(key, item.number));
      if (!isItself && !isCarried(key, item.number, identity)) return undefined;
      const envelope = withHop(item.envelope, () => oneFurther(hop));
      return { envelope, epoch, properties: message, hop, ...(!isItself && { carried: identity }) };
    } catch (error) {
      if (error instanceof RingmailError) return undefined;
      throw error;
    }
  }

  /** A destination in its parts, read once for each stream of a session. */
  addressOf(key: StreamKey): Address {
    let address = this.#addresses.get(key);
    if (address === undefined) {
      address = parseAddress(key.destination, this.#self());
      this.#addresses.set(key, address);
    }
    return address;
  }

  #formOf(key: StreamKey): PlainForm {
    let form = this.#forms.get(key);
    if (form === undefined) {
      form = new PlainForm(key);
      this.#forms.set(key, form);
    }
    return form;
  }
}

/** It goes where its item goes, as urgently, and begins elsewhere; or it came back to where it began, which gave it a later place. */
function isCarried(key: StreamKey, number: number, identity: Identity): boolean {
  const isOfStream = key.origin === identity.origin && key.incarnation === identity.incarnation;
  const isOfAnother = !isOfStream || identity.number < number;
  return isOfAnother && key.destination === identity.destination && key.priority === identity.priority && isName(identity.origin);
}

/** The way of a message so far, the hop on which it comes included. That it is late only its destination says. */
function wayOf({ count, elapsedMs, replayed }: Hop, { waited }: MessageItem): Hop {
  return waited === true || replayed === true ? { count, elapsedMs, replayed: true } : { count, elapsedMs };
}

function oneFurther({ count, elapsedMs, replayed }: Hop): Hop {
  return replayed === true ? { count: count + 1, elapsedMs, replayed } : { count: count + 1, elapsedMs };
}
