/** Crashes with memory, connections that lose, refusals, and what nobody asked for. The older faults: sim-broker.test.ts. */
import { describe, expect, test } from 'vitest';
import { toUtf8 } from '../shared/bytes.ts';
import { brokerBench as build, retain, say } from './broker-bench.ts';
import type { Amnesia } from './sim-broker.ts';

describe('a crash', () => {
  test.each<[string, Amnesia, string[]]>([
    ['all', 'all', []],
    ['nothing', { newest: 0 }, ['new', 'other']],
    ['the newest', { newest: 1 }, ['new']],
    ['the two newest, so that an old one is back,', { newest: 2 }, ['old']],
    ['more than there is', { newest: 100 }, []],
  ])('forgets %s of what it had retained', (_name, forgets, heard) => {
    const { time, broker, client } = build({});
    const a = client('a');
    retain(a, 'c', 'old');
    retain(a, 'c', 'new');
    retain(a, 'c/x', 'other');
    time.run(100);
    broker.restart(100, forgets);
    time.run(5000);
    const c = client('c');
    c.broker.subscribe(['to/c/x']);
    time.run(100);
    expect(c.heard).toEqual(['up', ...heard]);
  });

  test('a retained message that was taken away comes back with the crash', () => {
    const { time, broker, client } = build({});
    const a = client('a');
    retain(a, 'c', 'gone');
    retain(a, 'c', '');
    time.run(100);
    expect(client('c').heard).toEqual(['up']);
    broker.restart(100, { newest: 1 });
    time.run(5000);
    expect(client('c').heard).toEqual(['up', 'gone']);
  });

  test('an orderly stop says the wills and keeps what is retained', () => {
    const { time, broker, client } = build({});
    const a = client('a');
    retain(a, 'c', 'kept');
    broker
      .connect('w', { will: { topic: 'to/c', payload: toUtf8('offline'), qos: 1, retain: 'retain' } })
      .listen({ onUp: () => {}, onDown: () => {}, onMessage: () => {} });
    time.run(100);
    broker.stop(1000);
    time.run(500);
    expect(a.heard).toEqual(['up', 'down']);
    time.run(5000);
    expect(a.heard).toEqual(['up', 'down', 'up']);
    expect(client('c').heard).toEqual(['up', 'offline']);
  });
});

describe('what a connection loses', () => {
  test('what a broken connection had not delivered comes after the next subscription, shuffled', () => {
    const { time, broker, client } = build({ redeliver: 1 });
    const a = client('a');
    const b = client('b');
    for (let i = 0; i < 30; i++) say(a, 'b', String(i));
    time.run(4, () => b.heard.length > 5);
    const before = b.heard.filter((event) => /^\d+$/.test(event));
    broker.cut('b');
    time.run(60_000);
    const after = b.heard.slice(b.heard.lastIndexOf('up') + 1).map(Number);
    expect(after.length).toBe(broker.harm.redelivered);
    expect(after.length).toBeGreaterThan(5);
    expect(after).not.toEqual([...after].sort((x, y) => x - y));
    expect(new Set([...before.map(Number), ...after]).size).toBe(before.length + after.length);
  });

  test('and a crash forgets it', () => {
    const { time, broker, client } = build({ redeliver: 1 });
    const a = client('a');
    client('b');
    for (let i = 0; i < 30; i++) say(a, 'b', String(i));
    time.run(3);
    broker.restart(10);
    time.run(60_000);
    expect(broker.harm.redelivered).toBe(0);
  });

  test('what is too much for a slow subscriber is dropped, the newest first', () => {
    const { time, broker, client } = build({ waitingMax: 10 });
    const a = client('a');
    const b = client('b');
    for (let i = 0; i < 30; i++) say(a, 'b', String(i));
    broker.faults.lagMsMax = 10_000; // on the way down only: those up have their times
    time.run(60_000);
    expect(b.heard).toEqual(['up', ...Array.from({ length: 10 }, (_, i) => String(i))]);
    expect(broker.harm.dropped).toBe(20);
  });

  test('breaks between any two packets, and goes on', () => {
    const { time, broker, client } = build({ breakRate: 0.1, reconnectMsMax: 5 });
    const a = client('a');
    const b = client('b');
    for (let i = 0; i < 300; i++) {
      say(a, 'b', String(i));
      time.run(1);
    }
    const downs = [a, b].map(({ heard }) => heard.filter((event) => event === 'down').length);
    expect(Math.min(...downs)).toBeGreaterThan(5);
    expect(broker.counters.published).toBeLessThan(300);
    broker.faults.breakRate = 0;
    time.run(1000);
    say(a, 'b', 'heard');
    time.run(1000);
    expect(b.heard.at(-1)).toBe('heard');
  });

  test('half-open: nothing passes and nobody is told, until the keepalive notices', () => {
    const { time, broker, client } = build({});
    const a = client('a');
    const b = client('b');
    broker.halfOpen('b', 30_000);
    say(a, 'b', 'to nobody');
    say(b, 'a', 'from nobody');
    time.run(29_000);
    expect([a.heard, b.heard]).toEqual([['up'], ['up']]);
    time.run(5000);
    expect(b.heard).toEqual(['up', 'down', 'up']);
    say(a, 'b', 'heard');
    time.run(100);
    expect([a.heard, b.heard]).toEqual([['up'], ['up', 'down', 'up', 'heard']]);
  });

  test.each<[string, 'gone' | 'back', string[]]>([
    ['is missed by the keepalive', 'gone', ['up', 'offline']],
    ['is not when it is back already', 'back', ['up']],
  ])('a client that dies behind a half-open connection %s', (_name, fate, heard) => {
    const { time, broker, client } = build({});
    const a = client('a');
    const connect = () => {
      const made = broker.connect('w', { will: { topic: 'to/a', payload: toUtf8('offline'), qos: 1, retain: 'transient' } });
      made.listen({ onUp: () => {}, onDown: () => {}, onMessage: () => {} });
      time.run(100);
      return made;
    };
    const dying = connect();
    broker.halfOpen('w', 10_000);
    void dying.close();
    time.run(5000);
    if (fate === 'back') connect();
    expect(a.heard).toEqual(['up']);
    time.run(10_000);
    expect(a.heard).toEqual(heard);
  });
});

describe('what it refuses', () => {
  test('a subscription: the connection ends, again and again, until it is granted', () => {
    const { time, broker, client } = build({});
    const a = client('a');
    broker.faults.subscriptions = 'refused';
    const b = client('b');
    time.run(5000);
    expect(b.heard.filter((event) => event === 'down').length).toBeGreaterThan(3);
    broker.faults.subscriptions = 'granted';
    time.run(5000);
    say(a, 'b', 'heard');
    time.run(100);
    expect(b.heard.at(-1)).toBe('heard');
  });

  test('a subscription that is not answered: the connection stays, and nothing comes until it is', () => {
    const { time, broker, client } = build({});
    const a = client('a');
    broker.faults.subscriptions = 'unanswered';
    const b = client('b');
    say(a, 'b', 'missed');
    time.run(5000);
    expect(b.heard).toEqual(['up']);
    broker.faults.subscriptions = 'granted';
    time.run(100);
    say(a, 'b', 'heard');
    time.run(100);
    expect(b.heard).toEqual(['up', 'heard']);
  });

  test('publishes: dropped, and the connection ends', () => {
    const { time, broker, client } = build({});
    const a = client('a');
    const b = client('b');
    broker.faults.publishes = 'refused';
    say(a, 'b', 'no');
    time.run(5000);
    expect([a.heard, b.heard]).toEqual([['up', 'down', 'up'], ['up']]);
    broker.faults.publishes = 'taken';
    say(a, 'b', 'yes');
    time.run(100);
    expect(b.heard).toEqual(['up', 'yes']);
    expect(broker.harm.refused).toBe(1);
  });

  test('publishes above a size: at the limit it is taken, one more byte ends the connection', () => {
    const { time, client } = build({ publishBytesMax: 10 });
    const a = client('a');
    const b = client('b');
    say(a, 'b', '123456');
    time.run(100);
    expect([a.heard, b.heard]).toEqual([['up'], ['up', '123456']]);
    say(a, 'b', '1234567');
    time.run(5000);
    expect([a.heard, b.heard]).toEqual([
      ['up', 'down', 'up'],
      ['up', '123456'],
    ]);
  });
});

describe('what nobody asked for', () => {
  test('ghosts: what was retained once comes after what is retained now', () => {
    const { time, client } = build({ ghost: 1 });
    const a = client('a');
    for (const text of ['oldest', 'old', 'new']) retain(a, 'c', text);
    retain(a, 'd', 'elsewhere');
    time.run(100);
    expect(client('c').heard).toEqual(['up', 'new', 'oldest', 'old']);
  });

  test('leaks: publishes reach a client that did not subscribe', () => {
    const { time, broker, client } = build({ leak: 0.5 });
    const a = client('a');
    const b = client('b');
    const c = client('c');
    for (let i = 0; i < 40; i++) say(a, 'b', String(i));
    time.run(1000);
    expect(b.heard).toHaveLength(41);
    expect(c.heard.length).toBeGreaterThan(5);
    expect(a.heard.length + c.heard.length - 2).toBe(broker.harm.leaked);
  });

  test('a rival of the same name: each throws the other out, and both come back', () => {
    const { time, broker, client } = build({ sameName: 'newest' });
    const a = client('a');
    time.run(5000);
    expect(a.heard).toEqual(['up']);
    const rival = broker.rival('a');
    time.run(5000);
    expect(broker.harm.takenOver).toBeGreaterThan(4);
    expect(a.heard.filter((event) => event === 'down').length).toBeGreaterThan(2);
    void rival.close();
    time.run(5000);
    const settled = a.heard.length;
    expect(a.heard.at(-1)).toBe('up');
    time.run(60_000);
    expect(a.heard).toHaveLength(settled);
  });
});
