/** A message that its receiver refuses, at the sender: what is durable when, and what is handed over, whenever the power goes. */
import { describe, expect, test } from 'vitest';
import { bodyOf, Clock, LinkNode } from '../../hardware-sim/link-world.ts';
import { stream } from '../../hardware-sim/random.ts';
import type { StreamKey } from '../message/identity.ts';
import type { AnsweredStream, Item } from './session.ts';

/** A node that sends, and a receiver that is a script. */
class Sending {
  readonly clock = new Clock();
  readonly node: LinkNode;
  /** What was handed over, answered, and seen, since the last time. */
  readonly said: string[] = [];
  #bodies = 0;

  constructor(cacheBytesMax?: number) {
    const cache = cacheBytesMax === undefined ? {} : { cacheBytesMax };
    this.node = new LinkNode({ world: this.clock, random: stream(1, 'node'), name: 'node', uplink: 'link', ...cache });
    this.node.syncMs = () => 5;
    this.open();
  }

  open(): void {
    this.node.open();
    this.clock.run(this.clock.nowMs + 1_000, () => this.node.isServing);
    this.disk();
  }

  /** Everything that is planned is durable. */
  disk(): void {
    this.clock.run(this.clock.nowMs + 500);
  }

  send(bytes = 20): void {
    this.#bodies += 1;
    this.node.send('peer/bags', bodyOf(this.#bodies, bytes));
  }

  /** A session whose receiver stands at `cursor`. */
  session(cursor = 1): void {
    this.node.step(() => {
      const { sender } = this.node.parts;
      const { nonce } = sender.offer();
      const cursors: AnsweredStream[] = this.#keys.map((key) => ({ stream: key, cursor, credit: 100_000 }));
      const fixed = {
        kind: 'welcome',
        receiver: 'peer',
        incarnation: 'b1b2b3b4b5b6b7b8',
        epoch: { counter: 1, random: 1 },
      } as const;
      sender.answered({ ...fixed, nonce, ticket: new Uint8Array(8).fill(2), cursors });
    });
    this.disk();
  }

  take(): void {
    for (let idle = 0; idle < 3; idle += 1) {
      this.node.step(() => {
        const { sender } = this.node.parts;
        for (const work of sender.streamsWithWork()) {
          for (let taken = sender.take(work); taken.kind === 'item'; taken = sender.take(work))
            this.said.push(wordsOf(taken.item));
        }
      });
      this.clock.run(this.clock.nowMs);
    }
  }

  refused(number: number): void {
    this.node.step(() => {
      const verdict = this.node.parts.sender.refused(this.#key, { number, class: 'TOO_LARGE' });
      this.said.push(verdict);
    });
  }

  /** Hands over again from there on. */
  again(number: number): void {
    this.node.step(() => {
      const { sender, store } = this.node.parts;
      for (const out of store.outgoing) if (out.key.destination === 'peer/bags') sender.rewind(sender.stream(out), number);
    });
    this.take();
  }

  cursor(cursor: number): void {
    this.node.step(() => this.node.parts.sender.acknowledged(this.#key, cursor, 100_000));
  }

  kill(): void {
    this.node.kill();
    this.open();
  }

  look(): void {
    const { store } = this.node.parts;
    const letters = this.node.contents('$dead').length;
    const [out] = [...store.outgoing].filter(({ key }) => key.destination === 'peer/bags');
    this.said.push(`lo ${out?.lo} held ${out?.list.count} gaps ${out?.gaps.length} letters ${letters}`);
  }

  play(words: string): string[] {
    for (const word of words.split(', ')) {
      const [verb = '', number = '1'] = word.split(' ');
      if (verb === 'send') this.send();
      else if (verb === 'disk') this.disk();
      else if (verb === 'session') this.session(Number(number));
      else if (verb === 'take') this.take();
      else if (verb === 'refused') this.refused(Number(number));
      else if (verb === 'again') this.again(Number(number));
      else if (verb === 'cursor') this.cursor(Number(number));
      else if (verb === 'lost') this.node.step(() => this.node.parts.sender.lost());
      else if (verb === 'kill') this.kill();
      else if (verb === 'look') this.look();
      else throw new Error(`no such word: ${verb}`);
    }
    return this.said.splice(0);
  }

  get #keys(): StreamKey[] {
    return [...this.node.parts.store.outgoing].map(({ key }) => key);
  }

  get #key(): StreamKey {
    const { name: origin, incarnation } = this.node.parts.store.self;
    return { origin, incarnation, destination: 'peer/bags', priority: 3 };
  }
}

function wordsOf(item: Item): string {
  if (item.kind === 'message') return `message ${item.number}`;
  return item.kind === 'gap'
    ? `gap ${item.number}-${item.to} ${item.class} of ${item.node}`
    : `elsewhere ${item.number}-${item.to}`;
}

const BEGUN = 'send, send, disk, session, take';
const SENT = ['message 1', 'message 2'];
const GAP = 'gap 1-1 REJECTED of node';

test.each<[string, string, string[]]>([
  ['the cursor does not move', `${BEGUN}, refused 1, disk, look`, [...SENT, 'planned', 'lo 1 held 1 gaps 1 letters 1']],
  ['nothing of it is handed over before its end is durable', `${BEGUN}, refused 1, again 1`, [...SENT, 'planned']],
  ['then its gap is, and what follows', `${BEGUN}, refused 1, disk, again 1`, [...SENT, 'planned', GAP, 'message 2']],
  [
    'again is the same',
    `${BEGUN}, refused 1, refused 1, disk, refused 1, look`,
    [...SENT, 'planned', 'planned', 'ended', 'lo 1 held 1 gaps 1 letters 1'],
  ],
  [
    'several at once',
    `${BEGUN}, refused 2, refused 1, disk, again 1`,
    [...SENT, 'planned', 'planned', GAP, 'gap 2-2 REJECTED of node'],
  ],
  [
    'the cursor frees the gap',
    `${BEGUN}, refused 1, disk, cursor 3, disk, look`,
    [...SENT, 'planned', 'lo 3 held 0 gaps 0 letters 1'],
  ],
  [
    'not handed over in this session: nothing',
    'send, disk, session, refused 1, disk, look',
    ['unknown', 'lo 1 held 1 gaps 0 letters 0'],
  ],
  ['never given out: nothing', `${BEGUN}, refused 3, disk, look`, [...SENT, 'unknown', 'lo 1 held 2 gaps 0 letters 0']],
  ['freed: nothing', `${BEGUN}, cursor 2, refused 1, disk, look`, [...SENT, 'unknown', 'lo 2 held 1 gaps 0 letters 0']],
  [
    'of a session that is over: nothing',
    `${BEGUN}, lost, refused 1, disk, look`,
    [...SENT, 'unknown', 'lo 1 held 2 gaps 0 letters 0'],
  ],
  [
    'a power cut before its end is durable: it is held, and refused again',
    `${BEGUN}, refused 1, kill, look, session, take, refused 1, disk, again 1`,
    [...SENT, 'planned', 'lo 1 held 2 gaps 0 letters 0', ...SENT, 'planned', GAP, 'message 2'],
  ],
  [
    'a power cut before its gap is handed over: it is a gap, and one letter',
    `${BEGUN}, refused 1, disk, kill, look, session, take`,
    [...SENT, 'planned', 'lo 1 held 1 gaps 1 letters 1', GAP, 'message 2'],
  ],
  [
    'a session that ends while its end is on its way: the next one hands over the gap',
    `${BEGUN}, refused 1, lost, disk, session, take`,
    [...SENT, 'planned', GAP, 'message 2'],
  ],
  [
    'a receiver that took it after all: no gap is left',
    `${BEGUN}, refused 1, cursor 2, disk, look, kill, look`,
    [...SENT, 'planned', 'lo 2 held 1 gaps 0 letters 1', 'lo 2 held 1 gaps 0 letters 1'],
  ],
])('refused: %s', (_name, words, said) => {
  expect(new Sending().play(words)).toEqual(said);
});

test('a body that is not in memory is read first', () => {
  const it = new Sending(0);
  it.play(BEGUN);
  const verdicts = it.play('refused 1, refused 1, disk, refused 1, look');
  expect(verdicts[0]).toBe('reading');
  expect(verdicts.slice(-2)).toEqual(['ended', 'lo 1 held 1 gaps 1 letters 1']);
});

describe('the letter', () => {
  test('has the body, who refused it and why, and the identity it had', () => {
    const it = new Sending();
    it.play(`${BEGUN}, refused 1, disk`);
    const [letter] = it.node.contents('$dead');
    const { incarnation } = it.node.parts.store.self;
    expect(letter).toMatchObject({
      body: bodyOf(1, 20),
      history: [{ class: 'TOO_LARGE', node: 'node', reason: 'refused by peer' }],
      previous: `node:${incarnation}:peer/bags:3:1`,
    });
    expect(it.node.parts.store.accounts()).toEqual([]);
  });

  test('takes the place of the oldest ones when $dead is full, each counted', () => {
    const it = new Sending();
    for (let i = 0; i < 8; i++) it.send(10_000);
    it.play('disk, session, take');
    for (let number = 1; number <= 8; number++) it.play(`refused ${number}, disk`);
    const letters = it.node.contents('$dead').map(({ previous = '' }) => Number(previous.split(':').at(-1)));
    expect(letters).toEqual([4, 5, 6, 7, 8]);
    expect(it.node.parts.store.accounts()).toMatchObject([{ class: 'DROPPED', count: 3, stream: { destination: 'node/$dead' } }]);
    expect(it.play('again 1')).toHaveLength(8);
    expect(it.node.parts.sender.bodilessCount).toBe(0);
  });

  test('waits for the frame of those before it where there is no room beside them', () => {
    const it = new Sending();
    for (let i = 0; i < 8; i++) it.send(10_000);
    it.play('disk, session, take');
    const all = Array.from({ length: 8 }, (_, i) => `refused ${i + 1}`).join(', ');
    expect(it.play(all)).toEqual([...Array(5).fill('planned'), ...Array(3).fill('later')]);
    expect(it.play(`disk, ${all}`)).toEqual([...Array(5).fill('ended'), ...Array(3).fill('planned')]);
    it.disk();
    expect(it.node.contents('$dead')).toHaveLength(5);
    expect(it.node.parts.sender.bodilessCount).toBe(0);
  });

  test('too large for $dead is not written; the gap is the same, and the body is counted', () => {
    const it = new Sending();
    it.node.step(() => it.node.parts.intake.define('$dead', 5_000));
    it.send(10_000);
    it.send();
    expect(it.play('disk, session, take, refused 1, disk, again 1, look')).toEqual([
      ...SENT,
      'planned',
      GAP,
      'message 2',
      'lo 1 held 1 gaps 1 letters 0',
    ]);
    expect(it.node.parts.sender.bodilessCount).toBe(1);
  });
});
