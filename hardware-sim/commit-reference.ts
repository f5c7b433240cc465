/**
 * What transactions, numbered requests, keys and express messages leave behind, as plainly as it can be said: arrays and maps, for a
 * node to be compared with. A frame is all or nothing here, too: a program makes a clone, and keeps one of the two.
 */
export interface Held {
  readonly text: string;
  readonly priority: number;
  /** Order of arrival. */
  readonly id: number;
  /** A queue, or a part of one. */
  place: string;
  kept: 'disk' | 'memory';
  lease: string | undefined;
  moves: number;
  /** Of the transaction that sent it: a word of the model, and the mark. */
  readonly mark: { readonly of: number; readonly index: number; readonly count: number } | undefined;
}

/** A stretch of what is done in one frame. `lease`: one that is held, or is over. */
export type PlainStep =
  | { readonly do: 'send'; readonly queue: string; readonly priority: number; readonly text: string }
  | { readonly do: 'ack' | 'dead' | 'move'; readonly lease: string }
  | { readonly do: 'place'; readonly name: string; readonly value: number };

export interface PlainNumber {
  readonly producer: string;
  readonly number: number;
}

export class CommitReference {
  /** Of the queues that are bounded: how many messages fit, their parts counted. */
  readonly #fits: Readonly<Record<string, number>>;
  messages: Held[] = [];
  dead: string[] = [];
  readonly places = new Map<string, number>();
  /** The next number, by queue and priority. */
  readonly next = new Map<string, number>();
  /** Identities, as queue, priority and number, by queue and key. */
  readonly keys = new Map<string, string>();
  /** The last number of each producer, and what that stored: identities as above. */
  readonly producers = new Map<string, { last: number; identities: readonly string[] }>();
  #nextId = 1;
  #transactions = 0;

  constructor(fits: Readonly<Record<string, number>>) {
    this.#fits = fits;
  }

  clone(): CommitReference {
    const copy = new CommitReference(this.#fits);
    copy.messages = this.messages.map((message) => ({ ...message }));
    copy.dead = [...this.dead];
    for (const field of ['places', 'next', 'keys', 'producers'] as const) {
      for (const [key, value] of this[field]) (copy[field] as Map<string, unknown>).set(key, value);
    }
    copy.#nextId = this.#nextId;
    copy.#transactions = this.#transactions;
    return copy;
  }

  /** What a numbered request is told without being done; undefined when it is the next one. */
  told({ producer, number }: PlainNumber): 'refused' | 'done' | { readonly identities: readonly string[] } | undefined {
    const known = this.producers.get(producer);
    const last = known?.last ?? 0;
    if (number > last + 1) return 'refused';
    if (number === last + 1) return undefined;
    return number === last && known !== undefined ? { identities: known.identities } : 'done';
  }

  /** All of it, or the code of the refusal and nothing. */
  commit(steps: readonly PlainStep[], by?: PlainNumber): readonly string[] | 'LEASE_UNKNOWN' | 'QUEUE_FULL' {
    const leased = steps.map((step) => ('lease' in step ? this.messages.find(({ lease }) => lease === step.lease) : undefined));
    if (steps.some((step, at) => 'lease' in step && leased[at] === undefined)) return 'LEASE_UNKNOWN';
    const sends = steps.filter((step) => step.do === 'send');
    const going = leased.filter((message, at) => message !== undefined && steps[at]?.do !== 'move');
    for (const [queue, count] of Object.entries(this.#fits)) {
      const held = this.messages.filter((message) => wholeOf(message.place) === queue && !going.includes(message)).length;
      const more = sends.filter((send) => send.queue === queue).length;
      if (more > 0 && held + more > count) return 'QUEUE_FULL';
    }
    for (const [at, step] of steps.entries()) {
      const message = leased[at];
      if (message !== undefined) this.#end(message, step.do);
      if (step.do === 'place') this.places.set(step.name, step.value);
    }
    this.#transactions += 1;
    const identities = sends.map(({ queue, priority, text }, index) => {
      const mark = { of: this.#transactions, index, count: sends.length };
      return this.#store({ text, queue, priority, mark, kept: 'disk' });
    });
    if (by !== undefined) this.producers.set(by.producer, { last: by.number, identities });
    return identities;
  }

  /** The identity it gets; one in memory has a stream of its own, and is not told. */
  send(
    message: { readonly text: string; readonly queue: string; readonly priority: number },
    how: { readonly by?: PlainNumber; readonly key?: string; readonly kept: Held['kept'] },
  ): string | 'QUEUE_FULL' {
    const { queue } = message;
    const fits = this.#fits[queue] ?? Number.POSITIVE_INFINITY;
    if (this.messages.filter(({ place }) => wholeOf(place) === queue).length >= fits) return 'QUEUE_FULL';
    const identity = this.#store({ ...message, mark: undefined, kept: how.kept });
    if (how.by !== undefined) this.producers.set(how.by.producer, { last: how.by.number, identities: [identity] });
    if (how.key !== undefined) this.keys.set(`${queue} ${how.key}`, identity);
    return identity;
  }

  /** In the order in which they are received. */
  readyIn(place: string): Held[] {
    const ready = this.messages.filter((message) => message.place === place && message.lease === undefined);
    return ready.sort((a, b) => b.priority - a.priority || a.id - b.id);
  }

  end(message: Held, how: 'ack' | 'dead'): void {
    this.#end(message, how);
  }

  /** A crash forgets what was in memory; a stop in order writes it down. */
  restarted(how: 'power cut' | 'closed'): void {
    if (how === 'power cut') this.messages = this.messages.filter(({ kept }) => kept === 'disk');
    for (const message of this.messages) {
      message.kept = 'disk';
      message.lease = undefined;
    }
  }

  #end(message: Held, how: PlainStep['do']): void {
    message.lease = undefined;
    if (how === 'move') {
      message.place = otherPlace(message.place);
      message.moves += 1;
      return;
    }
    this.messages = this.messages.filter((other) => other !== message);
    if (how === 'dead') this.dead.push(message.text);
  }

  #store({ queue, ...message }: Pick<Held, 'text' | 'priority' | 'mark' | 'kept'> & { queue: string }): string {
    this.messages.push({ ...message, place: queue, id: this.#nextId++, lease: undefined, moves: 0 });
    if (message.kept === 'memory') return '';
    const stream = `${queue} ${message.priority}`;
    const number = this.next.get(stream) ?? 1;
    this.next.set(stream, number + 1);
    return `${stream} ${number}`;
  }
}

/** From a queue to its part, and back. */
export function otherPlace(place: string): string {
  return place.endsWith(';s') ? wholeOf(place) : `${place};s`;
}

export function wholeOf(place: string): string {
  return place.split(';')[0] ?? '';
}
