/**
 * The receiving side of custody: who sends to this node, what it has of each, and the one rule that decides: an item is accepted
 * only at the *planned* cursor of its stream from this neighbour, stored with the cursor's move in one frame, and only the
 * *durable* cursor is ever told to anyone.
 */
import { equalBytes, fromHex, NO_BYTES } from '../bytes.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { type StreamKey, streamText } from '../message/identity.ts';
import type { Refusal } from './arrival-endings.ts';
import { RUN_COUNT_MIN } from './arrival-runs.ts';
import { Arrivals } from './arrivals.ts';
import type { Intake } from './intake.ts';
import { type MetaChange, MetaFields, metaChange, metaValues } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { type Answer, type AnsweredStream, afterItem, type Item, type MessageItem, NO_TICKET, type Offer } from './session.ts';
import { judgeTicket } from './ticket.ts';

/** Bytes a neighbour may have outstanding per stream, at the most. */
export const CREDIT_BYTES_MAX = 256 * 1024;
/** Senders known at once; beyond it those that never sent anything are forgotten. */
export const NEIGHBOUR_COUNT_MAX = 4096;

interface Cursor {
  readonly key: StreamKey;
  planned: number;
  durable: number;
  /** Numbers below waited at the neighbour for the present session, as its offer says. */
  waitedBelow: number;
}

interface Neighbour {
  readonly id: number;
  readonly name: string;
  readonly incarnation: string;
  ticket: Uint8Array;
  /** Frames on their way to the disk that make another ticket the current one. */
  ticketsInFlight: number;
  readonly cursors: Map<string, Cursor>;
  /** The same, by the object that was asked with: those of a session are asked with for every message. */
  readonly known: WeakMap<StreamKey, Cursor>;
  session: ReceiverSession | undefined;
}

/** One neighbour's present session. A newer one, over whatever port, fences it. */
export interface ReceiverSession {
  readonly sender: string;
  readonly incarnation: string;
  readonly nonce: Uint8Array;
  state: 'offered' | 'confirmed' | 'fenced';
  /** Current once the session is confirmed. */
  readonly ticket: Uint8Array;
  /** By stream with something that waited for the session: the number that its next message would have got when it was offered. */
  readonly offeredNext: ReadonlyMap<string, number>;
}

/** `new`: planned, `whenDurable` will be called. `repeat`: known. `ahead`: out of sequence. `no-room`: later. `stale`: old session. */
export type Acceptance = 'new' | 'repeat' | 'ahead' | 'no-room' | 'stale';

export class CustodyReceiver {
  /** Offers that showed a ticket never given. */
  forkCount = 0;
  #repeatCount = 0;
  readonly #store: NodeStore;
  readonly #arrivals: Arrivals;
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #byName = new Map<string, Set<Neighbour>>();
  readonly #sessions = new Map<ReceiverSession, Neighbour>();
  #nextId = 1;

  constructor(store: NodeStore, intake: Intake) {
    this.#store = store;
    this.#arrivals = new Arrivals(store, intake);
  }

  load(): void {
    const { metas } = this.#store.ring;
    for (const [id, value] of metaValues(metas, 'f/')) {
      const fields = new MetaFields(value);
      this.#enter(Number(id), { name: fields.text(0), incarnation: fields.hex(1), ticket: fields.bytes(2) });
    }
    const byId = new Map([...this.#neighbours.values()].map((neighbour) => [neighbour.id, neighbour]));
    for (const [rest, value] of metaValues(metas, 'c/')) {
      const [id = '', handle = ''] = rest.split('/');
      const key = this.#store.streams.key(Number(handle));
      const cursor = new MetaFields(value).number(0);
      const cursors = byId.get(Number(id))?.cursors;
      // Of two handles of one stream the one that got further.
      if (cursor > (cursors?.get(streamText(key))?.durable ?? 0))
        cursors?.set(streamText(key), { key, planned: cursor, durable: cursor, waitedBelow: 1 });
    }
  }

  /** Items that were here already. */
  get repeatCount(): number {
    return this.#repeatCount + this.#arrivals.repeatCount;
  }

  /** Until there are more, nobody has more room here than he was told. */
  get framesWritten(): number {
    return this.#store.ring.framesWritten;
  }

  /** Names of the nodes that send to this one. */
  senders(): string[] {
    return [...new Set([...this.#neighbours.values()].map((neighbour) => neighbour.name))];
  }

  /** The number after those of a stream that a node handed over here, in whichever life of its store; 1: none. */
  takenFrom(name: string, key: StreamKey): number {
    let next = 1;
    for (const neighbour of this.#byName.get(name) ?? []) next = Math.max(next, this.#cursor(neighbour, key).planned);
    return next;
  }

  /**
   * Judges an offer. With a welcome comes the session, which fences the one before; a repeated offer gets its session again.
   * Undefined while a ticket of this neighbour is on its way to the disk: what is derived now could not be explained after a power
   * cut, whichever of the two is found there. The offer comes again.
   */
  offered(offer: Offer): { answer: Answer; session: ReceiverSession | undefined } | undefined {
    const known = this.#neighbours.get(`${offer.sender}:${offer.incarnation}`);
    if (known !== undefined && known.ticketsInFlight > 0 && !isRepeat(known, offer)) return undefined;
    const { secret } = this.#store.self;
    // Who never sent anything is a stranger still, whatever was answered: the answer may be lost, and so may our memory of it.
    const isStranger = known === undefined || known.ticket === NO_TICKET;
    const judged = judgeTicket(secret, known?.ticket ?? NO_TICKET, isStranger ? { ...offer, ticket: NO_TICKET } : offer);
    if (judged.kind === 'fork' || (known !== undefined && knowsMore(known, offer))) {
      this.forkCount += 1;
      return { answer: this.#answer('fork', offer, NO_TICKET, []), session: undefined };
    }
    const neighbour =
      known ?? this.#enter(this.#nextId, { name: offer.sender, incarnation: offer.incarnation, ticket: NO_TICKET });
    const session = this.#sessionFor(neighbour, offer, judged.ticket);
    const cursors = offer.streams.map(({ stream }) => this.#answered(neighbour, stream));
    return { answer: this.#answer('welcome', offer, judged.ticket, cursors), session };
  }

  /** What this node has of a stream, in words that can be told: durable. */
  cursorOf(session: ReceiverSession, stream: StreamKey): AnsweredStream {
    const neighbour = this.#sessions.get(session);
    return neighbour === undefined ? { stream, cursor: 1, credit: 0 } : this.#answered(neighbour, stream);
  }

  /** The first good packet of a session: its ticket becomes the current one, durably. */
  confirm(session: ReceiverSession): void {
    const neighbour = this.#sessions.get(session);
    if (neighbour === undefined || session.state !== 'offered') return;
    this.#store.commit({ metas: [this.#ticketChange(neighbour, session.ticket)] }, () => {
      neighbour.ticketsInFlight -= 1;
    });
    this.#becomesCurrent(neighbour, session);
  }

  /**
   * Takes an item of a session, or says why not. `whenDurable` is called once when its frame is on the disk. A refused one moved nothing:
   * its sender is told so, or a carrier that cannot tell it ends it here by a gap of that class.
   */
  item(session: ReceiverSession, at: { stream: StreamKey; item: Item }, whenDurable: () => void): Acceptance | Refusal {
    const neighbour = this.#sessions.get(session);
    if (neighbour === undefined || session.state === 'fenced') return 'stale';
    const cursor = this.#cursor(neighbour, at.stream);
    const next = afterItem(at.item);
    if (next <= cursor.planned) {
      this.#repeatCount += 1;
      return 'repeat';
    }
    if (at.item.number > cursor.planned) return 'ahead';
    const item = at.item.kind === 'message' ? aged(at.item, cursor) : { ...at.item, number: cursor.planned };
    return this.#keep(neighbour, session, { cursor, item, next, whenDurable });
  }

  /**
   * Takes the first ones of several messages of a stream, as one, and says how many: 0 where that would not do, for whatever reason, which
   * `item` then has for the first of them. `whenDurable` is called once when their frame is on the disk.
   */
  run(
    session: ReceiverSession,
    { stream, items }: { stream: StreamKey; items: readonly MessageItem[] },
    whenDurable: () => void,
  ): number {
    const neighbour = this.#sessions.get(session);
    if (neighbour === undefined || session.state !== 'confirmed' || items.length < RUN_COUNT_MIN) return 0;
    const cursor = this.#cursor(neighbour, stream);
    if (items[0]?.number !== cursor.planned) return 0;
    try {
      const planned = this.#arrivals.acceptRun(
        cursor.key,
        items.map((item) => aged(item, cursor)),
      );
      if (planned === undefined) return 0;
      const next = cursor.planned + planned.count;
      const { puts, acks } = planned;
      const metas = [...planned.changes, this.#cursorChange(neighbour, cursor, next)];
      this.#store.commit({ puts, acks, metas }, (outcome, slots) => {
        if (outcome !== 'durable') return;
        this.#durable(cursor, next, slots);
        whenDurable();
      });
      planned.settle();
      this.#planned(neighbour, cursor, next);
      return planned.count;
    } catch (error) {
      // Together they are too many, or there is no room.
      if (error instanceof RingmailError) return 0;
      throw error;
    }
  }

  #keep(
    neighbour: Neighbour,
    session: ReceiverSession,
    what: { cursor: Cursor; item: Item; next: number; whenDurable: () => void },
  ): Acceptance | Refusal {
    const { cursor, item, next } = what;
    const confirms = session.state === 'offered';
    try {
      const planned = this.#arrivals.accept(cursor.key, item, neighbour.name);
      if (planned === undefined) return 'no-room';
      if ('refused' in planned) return planned;
      const metas: MetaChange[] = [...planned.changes, this.#cursorChange(neighbour, cursor, next)];
      if (confirms) metas.push(this.#ticketChange(neighbour, session.ticket));
      this.#store.commit({ puts: planned.puts, acks: planned.acks, metas }, (outcome, slots) => {
        if (confirms) neighbour.ticketsInFlight -= 1;
        if (outcome !== 'durable') return;
        this.#durable(cursor, next, slots);
        what.whenDurable();
      });
      planned.settle();
    } catch (error) {
      if (hasCode(error, 'QUEUE_FULL') || hasCode(error, 'BUSY') || hasCode(error, 'NODE_STOPPED')) return 'no-room';
      if (hasCode(error, 'MESSAGE_TOO_LARGE')) return { refused: 'TOO_LARGE' };
      throw error;
    }
    if (confirms) this.#becomesCurrent(neighbour, session);
    this.#planned(neighbour, cursor, next);
    return 'new';
  }

  #cursorChange(neighbour: Neighbour, { key }: Cursor, next: number): MetaChange {
    return metaChange(`c/${neighbour.id}/${this.#store.streams.find(key) ?? 0}`, next);
  }

  #planned(neighbour: Neighbour, cursor: Cursor, next: number): void {
    cursor.planned = next;
    if (neighbour.known.get(cursor.key) === cursor) return;
    neighbour.cursors.set(streamText(cursor.key), cursor);
    neighbour.known.set(cursor.key, cursor);
  }

  #durable(cursor: Cursor, next: number, slots: readonly number[]): void {
    for (const slot of slots) this.#arrivals.placed(slot);
    cursor.durable = Math.max(cursor.durable, next);
  }

  /** The session's ticket is planned as the current one: it is on its way to the disk. */
  #becomesCurrent(neighbour: Neighbour, session: ReceiverSession): void {
    session.state = 'confirmed';
    neighbour.ticket = session.ticket;
    neighbour.ticketsInFlight += 1;
  }

  #sessionFor(neighbour: Neighbour, offer: Offer, ticket: Uint8Array): ReceiverSession {
    const old = neighbour.session;
    if (old !== undefined && equalBytes(old.nonce, offer.nonce)) return old;
    if (old !== undefined) {
      old.state = 'fenced';
      this.#sessions.delete(old);
    }
    const waiting = offer.age === 'live' ? [] : offer.streams;
    const session: ReceiverSession = {
      sender: offer.sender,
      incarnation: offer.incarnation,
      nonce: offer.nonce,
      state: 'offered',
      ticket,
      offeredNext: new Map(waiting.map(({ stream, next }) => [streamText(stream), next])),
    };
    for (const [text, cursor] of neighbour.cursors) cursor.waitedBelow = session.offeredNext.get(text) ?? 1;
    neighbour.session = session;
    this.#sessions.set(session, neighbour);
    return session;
  }

  #answer(kind: Answer['kind'], offer: Offer, ticket: Uint8Array, cursors: AnsweredStream[]): Answer {
    const { self, ring } = this.#store;
    const { name: receiver, incarnation } = self;
    return { kind, receiver, incarnation, epoch: ring.epoch, nonce: offer.nonce, ticket, cursors };
  }

  #answered(neighbour: Neighbour, stream: StreamKey): AnsweredStream {
    const cursor = this.#cursor(neighbour, stream).durable;
    return { stream, cursor, credit: this.#arrivals.creditFor(stream, CREDIT_BYTES_MAX) };
  }

  /** Kept only once something of the stream was taken: who merely names streams costs no memory. */
  #cursor(neighbour: Neighbour, key: StreamKey): Cursor {
    const met = neighbour.known.get(key);
    if (met !== undefined) return met;
    const text = streamText(key);
    const known = neighbour.cursors.get(text);
    if (known === undefined) return { key, planned: 1, durable: 1, waitedBelow: neighbour.session?.offeredNext.get(text) ?? 1 };
    neighbour.known.set(key, known);
    return known;
  }

  #ticketChange(neighbour: Neighbour, ticket: Uint8Array): MetaChange {
    const incarnation = fromHex(neighbour.incarnation) ?? NO_BYTES;
    return metaChange(`f/${neighbour.id}`, [neighbour.name, incarnation, ticket]);
  }

  /** Of those who offered and never sent anything the oldest go: names are cheap to invent. */
  #forgetStrangers(): void {
    if (this.#neighbours.size < NEIGHBOUR_COUNT_MAX) return;
    for (const [name, neighbour] of this.#neighbours) {
      if (neighbour.cursors.size > 0 || neighbour.ticket !== NO_TICKET || neighbour.ticketsInFlight > 0) continue;
      if (neighbour.session !== undefined) this.#sessions.delete(neighbour.session);
      this.#neighbours.delete(name);
      this.#byName.get(neighbour.name)?.delete(neighbour);
      return;
    }
  }

  #enter(id: number, who: { name: string; incarnation: string; ticket: Uint8Array }): Neighbour {
    this.#forgetStrangers();
    const neighbour: Neighbour = { id, ...who, ticketsInFlight: 0, cursors: new Map(), known: new WeakMap(), session: undefined };
    this.#neighbours.set(`${who.name}:${who.incarnation}`, neighbour);
    const namesakes = this.#byName.get(who.name) ?? new Set();
    this.#byName.set(who.name, namesakes.add(neighbour));
    this.#nextId = Math.max(this.#nextId, id + 1);
    return neighbour;
  }
}

/** What waited at the sender for this session says so. */
function aged(item: MessageItem, { waitedBelow }: Cursor): MessageItem {
  const { kind, number, envelope, plain } = item;
  return number < waitedBelow ? { kind, number, envelope, plain, waited: true } : item;
}

/** Numbers were taken of a stream that begins at the sender, and of which its store knows nothing any more. */
function knowsMore(neighbour: Neighbour, { own, sender, incarnation, streams }: Offer): boolean {
  if (own !== 'whole') return false;
  const offered = new Set(streams.map(({ stream }) => streamText(stream)));
  for (const [text, { key, planned }] of neighbour.cursors) {
    if (planned > 1 && key.origin === sender && key.incarnation === incarnation && !offered.has(text)) return true;
  }
  return false;
}

/** The offer whose session is the present one. */
function isRepeat(neighbour: Neighbour, offer: Offer): boolean {
  return neighbour.session !== undefined && equalBytes(neighbour.session.nonce, offer.nonce);
}
