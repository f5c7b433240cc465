/** The node for hosts that call it: what `run` does and says. On engines without a host it is tested in test/embedded. */
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import type { Selector } from '../queue/selector.ts';
import type { Call, CallResult } from './calls.ts';
import { EmbeddedNode, type EmbeddedStorage, formatStorage, fromUtf8, toUtf8 } from './embedded.ts';

const SIZE = 256 * 1024;
const QUEUES = [{ name: 'bags', bytesLimit: 50_000 }];

class Host implements EmbeddedStorage {
  readonly size = SIZE;
  readonly bytes = new Uint8Array(SIZE);
  writes = 0;
  fails: 'nothing' | 'writes' = 'nothing';
  nowMs = 0;
  node: EmbeddedNode;
  readonly said: string[] = [];
  readonly results = new Map<number, CallResult>();

  constructor(name: string) {
    formatStorage(this, new Uint8Array(16).fill(7));
    this.node = this.#boot(name);
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  writeDurable(offset: number, bytes: Uint8Array): void {
    if (this.fails === 'writes') throw new Error('worn out');
    this.writes += 1;
    this.bytes.set(bytes, offset);
  }

  #boot(name: string): EmbeddedNode {
    return new EmbeddedNode(
      { name: 'box-1', queues: QUEUES },
      { storage: this, random: stream(name, 'node'), durability: 'sync' },
    );
  }

  again(name: string): void {
    this.node = this.#boot(name);
  }

  run(): void {
    for (const event of this.node.run(++this.nowMs)) {
      if (event.kind === 'answer') this.results.set(event.token, event.result);
      else this.said.push(event.kind);
    }
  }

  call(call: Call): CallResult | undefined {
    const token = this.node.ask(call);
    this.run();
    return this.results.get(token);
  }

  codeOf(token: number): string | undefined {
    const result = this.results.get(token);
    return result?.kind === 'error' ? result.error.code : result?.kind;
  }
}

const send = (text: string, destination = 'bags'): Call => ({
  verb: 'send',
  destination,
  body: toUtf8(text),
  properties: {},
});
const receive = (waitMs = 0): Call => ({ verb: 'receive', queue: 'bags', waitMs, leaseMs: 1_000 });

function opened(name: string): Host {
  const host = new Host(name);
  host.run();
  expect(host.said).toEqual(['serving']);
  return host;
}

describe('what is asked', () => {
  test('is done by the next run, and not before', () => {
    const host = opened('not before');
    const writes = host.writes;
    const token = host.node.ask(send('a'));
    expect(host.writes).toBe(writes);
    expect(host.node.wakeAtMs).toBeLessThanOrEqual(host.nowMs);
    host.run();
    expect(host.codeOf(token)).toBe('sent');
  });

  test('together becomes durable together: one write for twenty sends', () => {
    const host = opened('together');
    const writes = host.writes;
    const tokens = Array.from({ length: 20 }, (_, i) => host.node.ask(send(`${i}`)));
    host.run();
    expect(tokens.map((token) => host.codeOf(token))).toEqual(tokens.map(() => 'sent'));
    expect(host.writes - writes).toBe(1);
  });

  test('before the ring is open is answered after', () => {
    const host = new Host('early');
    const token = host.node.ask(send('early'));
    host.run();
    expect([host.said, host.codeOf(token)]).toEqual([['serving'], 'sent']);
  });

  test('and given up is not answered', () => {
    const host = opened('cancel');
    const token = host.node.ask(receive(60_000));
    host.run();
    host.node.cancel(token);
    host.run();
    expect(host.codeOf(host.node.ask(send('a')))).toBeUndefined();
    host.run();
    expect(host.codeOf(token)).toBeUndefined();
    expect(host.call(receive())?.kind).toBe('received');
  });

  test('and given up before it is run leaves its message to the next', () => {
    const host = opened('cancel-early');
    host.call(send('a'));
    host.node.cancel(host.node.ask(receive()));
    expect(host.call(receive())).toMatchObject({ kind: 'received', received: { deliveryCount: 2 } });
  });

  test.each<[string, Call]>([
    ['a transaction', { verb: 'commit', steps: [] }],
    ['a new queue', { verb: 'createQueue', queue: 'more', options: {} }],
    ['a redrive', { verb: 'redrive', queue: '$dead', lookupId: 1 }],
  ])('of what is not in it is VERB_ABSENT: %s', (_what, call) => {
    expect(opened('absent').call(call)).toMatchObject({
      kind: 'error',
      error: { code: 'VERB_ABSENT', details: { verb: call.verb } },
    });
  });

  test.each<[string, Partial<Extract<Call, { verb: 'send' }>>]>([
    ['by', { by: { producer: 'scale', number: 1 } }],
    ['sendKey', { sendKey: 'a' }],
  ])('and may come again is refused, not stored twice: %s', (property, how) => {
    const result = opened('repeat').call({ ...send('a'), ...how } as Call);
    expect(result).toMatchObject({ kind: 'error', error: { code: 'PROPERTY_INVALID', details: { property } } });
  });

  test.each<Selector>([{ by: 'last' }, { by: 'lookupId', lookupId: 1 }, { by: 'correlationId', correlationId: 'c' }])(
    'by anything else than its turn is refused: %o',
    (select) => {
      const host = opened('in turn');
      host.call(send('a'));
      for (const call of [receive(), { verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' } as const]) {
        const result = host.call({ ...call, select } as Call);
        expect(result).toMatchObject({ error: { code: 'PROPERTY_INVALID', details: { property: 'select' } } });
      }
    },
  );

  test('is shown the message that would be received next', () => {
    const host = opened('peek');
    const peek: Call = { verb: 'peek', queue: 'bags', waitMs: 0, bodies: 'with' };
    expect(host.call(peek)?.kind).toBe('empty');
    host.call(send('later'));
    host.call({ ...send('urgent'), properties: { priority: 7 } } as Call);
    for (const text of ['urgent', 'later']) {
      const peeked = host.call(peek);
      expect(peeked?.kind === 'peeked' && fromUtf8(peeked.peeked.message.body)).toBe(text);
      const got = host.call(receive());
      expect(got?.kind === 'received' && fromUtf8(got.received.message.body)).toBe(text);
    }
  });

  test('as express is stored like anything else, and the answer says so', () => {
    const host = opened('express');
    expect(host.call({ ...send('a'), delivery: 'express' } as Call)).toMatchObject({ kind: 'sent', durability: 'sync' });
    host.again('after a power cut');
    host.run();
    expect(host.call(receive())?.kind).toBe('received');
  });

  test('with a handle, which nothing gives here, is HANDLE_UNKNOWN', () => {
    const host = opened('handles');
    const open: Call = { verb: 'open', queue: 'bags', access: 'receive', share: 'all', idleMs: 1_000 };
    expect(host.call(open)).toMatchObject({ error: { code: 'VERB_ABSENT' } });
    expect(host.call({ ...receive(), handle: 'h1' } as Call)).toMatchObject({ error: { code: 'HANDLE_UNKNOWN' } });
    expect(host.call({ verb: 'close', handle: 'h1' })).toMatchObject({ error: { code: 'HANDLE_UNKNOWN' } });
  });

  test('for another node finds no way there', () => {
    expect(opened('route').call(send('a', 'central/bags'))).toMatchObject({ kind: 'error', error: { code: 'ROUTE_NOT_FOUND' } });
  });
});

test('it says when it wants to run: at the end of a wait, and of a lease', () => {
  const host = opened('times');
  const waiting = host.node.ask(receive(500));
  host.run();
  expect(host.node.wakeAtMs).toBe(host.nowMs + 500);
  host.nowMs += 500;
  host.run();
  expect(host.codeOf(waiting)).toBe('empty');
  host.call(send('a'));
  host.call(receive());
  const wakeAtMs = host.node.wakeAtMs ?? Number.NaN;
  expect(wakeAtMs - host.nowMs).toBeLessThanOrEqual(1_000);
  host.nowMs += 1_000;
  host.run();
  expect(host.call(receive())).toMatchObject({ received: { deliveryCount: 2 } });
});

test('a run ends after so many steps; what is left is due at once', () => {
  const host = opened('steps');
  const tokens = Array.from({ length: 600 }, () => host.node.ask({ verb: 'position', name: 'x' }));
  host.run();
  const answered = () => tokens.filter((token) => host.results.has(token)).length;
  expect(answered()).toBeLessThan(600);
  let runs = 1;
  for (; (host.node.wakeAtMs ?? Number.POSITIVE_INFINITY) <= host.nowMs && runs < 10; runs++) host.run();
  expect([answered(), runs]).toEqual([600, 3]);
});

test('a storage that fails stops the node: who waits is told, nothing is asked any more, and a new node finds what was durable', () => {
  const host = opened('worn');
  host.call(send('kept'));
  const waiting = host.node.ask({ verb: 'receive', queue: '$dead', waitMs: 60_000, leaseMs: 1_000 });
  host.run();
  host.fails = 'writes';
  const lost = host.node.ask(send('lost'));
  host.run();
  expect(host.said).toEqual(['serving', 'stopped']);
  expect(host.codeOf(lost)).toBe('IN_DOUBT');
  expect(host.codeOf(waiting)).toBe('NODE_STOPPED');
  expect(host.node.wakeAtMs).toBeUndefined();
  expect(host.call(send('later'))).toMatchObject({ kind: 'error', error: { code: 'NODE_STOPPED' } });
  host.fails = 'nothing';
  host.again('worn again');
  host.run();
  const got = host.call(receive());
  expect(got?.kind === 'received' && fromUtf8(got.received.message.body)).toBe('kept');
});

test('closed, it has written what only memory knew', () => {
  const host = opened('close');
  host.call(send('a'));
  host.call(receive());
  host.node.close();
  host.run();
  expect([host.said, host.node.phase]).toEqual([['serving', 'closed'], 'closed']);
  host.again('close again');
  host.run();
  expect(host.call(receive())).toMatchObject({ received: { deliveryCount: 2 } });
});
