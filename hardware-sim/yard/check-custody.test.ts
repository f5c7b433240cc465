import { describe, expect, test } from 'vitest';
import { booksAgree, nothingLetGo, yesIsDurable } from './check-custody.ts';
import type { History } from './history.ts';
import { type Account, atRest, changed, endChanged, inserted, quietRun, Tale, the, troubledRun, without } from './quiet-run.ts';

const quiet = quietRun();

function withAccounts(accounts: readonly Account[]): History {
  return endChanged(quiet, 'central', () => ({ stats: atRest('central', accounts).stats }));
}

const EXPIRED: Account = ['device-1', 'central/bags', 3, 'RECEIVE_TIMEOUT', 1];
const DROPPED: Account = ['device-1', 'central/alarms', 3, 'DROPPED', 1];

describe('S5, the books', () => {
  test.each(['ready', 'leased', 'delayed', 'held'])('notice a queue that counts one %s too many', (what) => {
    const wrong = endChanged(quiet, 'central', ({ stats }) => ({
      stats: { ...stats, queues: stats.queues.map((queue) => (queue.name === 'bags' ? { ...queue, [what]: 1 } : queue)) },
    }));
    expect(booksAgree(wrong).violations).toEqual(['central says 1 in queues and 0 to hand over, on its disk are 0: ']);
  });

  test('notice something on the platter that is in no list', () => {
    expect(booksAgree(endChanged(quiet, 'gateway', () => ({ live: ['device-1:1'] }))).violations).toHaveLength(1);
  });

  test('notice something to hand over that is on no platter', () => {
    const wrong = endChanged(quiet, 'gateway', ({ stats }) => ({
      stats: { ...stats, outgoing: [{ stream: 's', held: 2, lo: 1, next: 3 }] },
    }));
    expect(booksAgree(wrong).violations).toHaveLength(1);
  });

  test('leave dead letters out', () => {
    const dead = endChanged(quiet, 'central', ({ stats }) => ({
      stats: { ...stats, queues: stats.queues.map((queue) => (queue.name === '$dead' ? { ...queue, ready: 3 } : queue)) },
    }));
    expect(booksAgree(dead).violations).toEqual([]);
  });

  test('notice an account too few, and one too many', () => {
    expect(booksAgree(withAccounts([DROPPED])).violations).toEqual([
      'central says 0 expired of device-1>central/bags:3, there were 1',
    ]);
    expect(booksAgree(withAccounts([EXPIRED])).violations).toEqual([
      'central says 0 dropped of device-1>central/alarms:3, there were 1',
    ]);
    const two: Account = ['device-1', 'central/bags', 3, 'RECEIVE_TIMEOUT', 2];
    expect(booksAgree(withAccounts([two, DROPPED])).violations).toEqual([
      'central says 2 expired of device-1>central/bags:3, there were 1',
    ]);
  });

  test('let an account tell of one that nobody saw end: the last write before a power cut', () => {
    const unseen = without(quiet, the('freed', 'device-1:3', 'central'));
    expect(booksAgree(unseen).violations).toEqual([]);
  });

  test('let a message end twice that an origin with a new life sent again', () => {
    const two: Account = ['device-1', 'central/bags', 3, 'RECEIVE_TIMEOUT', 2];
    const moved = changed(withAccounts([two, DROPPED]), the('serving', 'device-1'), { incarnation: '2222222222222222' });
    const again = moved.events.find(the('serving', 'gateway'));
    expect(booksAgree(inserted(moved, the('acked'), { ...again, node: 'device-1' })).violations).toEqual([]);
  });

  test('let what is dropped from $dead be accounted under the name of the letters', () => {
    const dropped = { kind: 'freed', node: 'central', key: 'device-1:9', reason: 'dropped', heldBy: [] };
    const letter: Account = ['central', 'central/$dead', 3, 'DROPPED', 1];
    const withLetter = (accounts: readonly Account[]) => inserted(withAccounts(accounts), the('given-up'), dropped);
    expect(booksAgree(withLetter([EXPIRED, DROPPED, letter])).violations).toEqual([]);
    expect(booksAgree(withLetter([EXPIRED, DROPPED])).violations).toHaveLength(1);
  });

  test('are not read while something moves, nor where a disk was harmed', () => {
    const end = quiet.events.at(-1);
    const moving = {
      kind: 'freed',
      node: 'gateway',
      key: 'device-1:1',
      reason: 'handed-over',
      heldBy: ['central'],
      atMs: end?.atMs,
    };
    const late: History = {
      ...quiet,
      events: [...quiet.events.slice(0, -1), moving as History['events'][number], ...(end ? [end] : [])],
    };
    expect(booksAgree(late).looked).toBe(booksAgree(quiet).looked - 2);
    expect(booksAgree(endChanged(troubledRun(), 'gateway', () => ({ live: ['device-1:1'] }))).violations).toEqual([]);
  });
});

describe('S6, yes is durable', () => {
  test('notices a yes that a power cut takes back', () => {
    expect(yesIsDurable(changed(quiet, the('accepted', 'device-1:2'), { kept: 'not-kept' })).violations).toEqual([
      'device-1:2 accepted at device-1, and not kept',
    ]);
  });

  test.each(['acked', 'given-up'] as const)('notices a message that was %s and comes back', (kind) => {
    expect(yesIsDurable(changed(quiet, the(kind), { gone: 'still-there' })).violations).toHaveLength(1);
  });

  test.each([
    ['takes', { missing: ['device-1:1'] }],
    ['brings', { invented: ['device-1:1'] }],
    ['leaves 2 gaps', { gaps: 2 }],
  ])('notices a power cut that %s something', (text, change) => {
    const { violations } = yesIsDurable(changed(quiet, the('tried-cut'), change));
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain(text);
  });

  test('excuses what harm did before the cut, and only that', () => {
    const cut = changed(quiet, the('tried-cut'), { missing: ['device-1:1'], invented: ['device-1:2'], gaps: 1 });
    const harm = { kind: 'destroyed', node: 'central', cause: 'block rots', keys: ['device-1:1'], doubtful: ['device-1:2'] };
    expect(yesIsDurable(inserted(cut, the('fault'), harm)).violations).toEqual([]);
    expect(yesIsDurable(inserted(cut, the('fault'), { ...harm, node: 'gateway' })).violations).toHaveLength(3);
    expect(yesIsDurable(inserted(cut, the('fault'), { ...harm, keys: [] })).violations).toEqual([
      'a power cut at central takes device-1:1',
    ]);
  });

  test('does not hold a disk that lies to its word, nor an answer that was given before the write', () => {
    expect(yesIsDurable(troubledRun()).violations).toEqual([]);
    const early = changed(quiet, the('accepted'), { kept: 'not-kept', durability: 'interval' });
    expect(yesIsDurable(early).violations).toEqual([]);
    expect(yesIsDurable(changed(quiet, the('accepted'), { kept: 'not-kept', durability: 'sync' })).violations).toHaveLength(1);
  });
});

describe('S7, nothing is let go', () => {
  const nodes = [atRest('central'), atRest('gateway'), atRest('device-1')];

  test('notices what is handed over to nobody', () => {
    for (const heldBy of [[], ['device-1']]) {
      const { violations } = nothingLetGo(changed(quiet, the('freed', 'device-1:1', 'device-1'), { heldBy }));
      expect(violations).toEqual(['device-1:1 freed at device-1 as handed-over: nobody else has it']);
    }
  });

  test('lets go of what has ended further on', () => {
    const tale = new Tale().send('device-1:1').accept('device-1:1').deliver('device-1:1').effect('device-1:1').ack('device-1:1');
    expect(nothingLetGo(tale.free('device-1:1', 'device-1', 'handed-over').end(nodes)).violations).toEqual([]);
    const expired = new Tale().send('device-1:1').accept('device-1:1').free('device-1:1', 'central', 'expired');
    expect(nothingLetGo(expired.free('device-1:1', 'device-1', 'handed-over').end(nodes)).violations).toEqual([]);
  });

  test('lets go of what the account of its lane is all that is left of, once for each', () => {
    const tale = new Tale().send('device-1:1').accept('device-1:1').free('device-1:1', 'device-1', 'handed-over');
    const history = (count: number) => tale.end([atRest('central', [['device-1', 'central/bags', 3, 'TOO_LARGE', count]])]);
    expect(nothingLetGo(history(1)).violations).toEqual([]);
    tale.send('device-1:2').accept('device-1:2').free('device-1:2', 'device-1', 'handed-over');
    expect(nothingLetGo(history(1)).violations).toHaveLength(2);
  });

  test('lets go to a disk that lies', () => {
    const tale = new Tale().tell({ kind: 'fault', fault: 'flushes lie', target: 'gateway', untilMs: 100 });
    tale.send('device-1:1').accept('device-1:1').free('device-1:1', 'device-1', 'handed-over');
    expect(nothingLetGo(tale.end(nodes)).violations).toEqual([]);
  });

  test('notices an acknowledgement that no application gave', () => {
    const undelivered = without(quiet, the('delivered', 'device-1:1'));
    expect(nothingLetGo(undelivered).violations).toEqual(['device-1:1 freed at central as acknowledged: no application had it']);
    const idle = without(quiet, the('effect', 'device-1:1'));
    expect(nothingLetGo(idle).violations).toEqual([
      'device-1:1 freed at central as acknowledged: no application did what it says',
    ]);
  });

  test('notices what is called corrupt on a disk that nobody harmed', () => {
    const corrupt = { kind: 'freed', node: 'gateway', key: 'device-1:1', reason: 'corrupt', heldBy: [] };
    expect(nothingLetGo(inserted(quiet, the('accepted', 'device-1:1'), corrupt)).violations).toHaveLength(1);
    expect(nothingLetGo(inserted(troubledRun(), the('accepted', 'device-1:1'), corrupt)).violations).toEqual([]);
  });

  test('notices what is replaced by nothing', () => {
    const replaced = { kind: 'freed', node: 'device-1', key: 'device-1:1', reason: 'replaced', heldBy: [] };
    expect(nothingLetGo(inserted(quiet, the('accepted', 'device-1:1'), replaced)).violations).toHaveLength(1);
  });
});
