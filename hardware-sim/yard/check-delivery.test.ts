import { describe, expect, test } from 'vitest';
import { noDuplicateEffect, noLoss, noPhantom } from './check-delivery.ts';
import type { History } from './history.ts';
import { atRest, changed, endChanged, inserted, quietRun, Tale, the, troubledRun, without } from './quiet-run.ts';

const quiet = quietRun();
const nodes = [atRest('central'), atRest('gateway'), atRest('device-1')];

/** All that was told of a key after its acceptance is gone. */
function vanished(history: History, key: string): History {
  return without(history, (event) => 'key' in event && event.key === key && event.kind !== 'send' && event.kind !== 'accepted');
}

describe('S1, no loss', () => {
  test('names a message that is nowhere', () => {
    expect(noLoss(vanished(quiet, 'device-1:1')).violations).toEqual([
      'accepted and nowhere, device-1>central/bags:3: device-1:1',
    ]);
  });

  test('does not take an account of another lane for an explanation', () => {
    const lost = vanished(quiet, 'device-2:1');
    expect(noLoss(lost).violations).toHaveLength(1);
    const accounted = withAccount(lost, ['device-2', 'central/bags', 0, 'TOO_LARGE', 1]);
    expect(noLoss(accounted).violations).toHaveLength(1);
    expect(noLoss(withAccount(lost, ['device-2', 'central/bags', 5, 'TOO_LARGE', 1])).violations).toEqual([]);
  });

  test('takes an account of damage for an explanation only where something was damaged', () => {
    const accounted = withAccount(vanished(quiet, 'device-2:1'), ['device-2', 'central/bags', 5, 'CORRUPT', 1]);
    expect(noLoss(accounted).violations).toHaveLength(1);
    const rotten = { kind: 'destroyed', node: 'gateway', cause: 'block rots', keys: [], doubtful: [] };
    expect(noLoss(inserted(accounted, the('accepted', 'device-2:1'), rotten)).violations).toEqual([]);
  });

  test('does not count an account twice: for one that was seen to expire, and for one that was not', () => {
    const two = new Tale().send('device-1:1', { timeToBeReceivedMs: 1 }).accept('device-1:1').carry('device-1:1');
    two.free('device-1:1', 'central', 'expired').send('device-1:2').accept('device-1:2').carry('device-1:2');
    const history = two.end([atRest('central', [['device-1', 'central/bags', 3, 'RECEIVE_TIMEOUT', 1]])]);
    expect(noLoss(history).violations).toEqual(['accepted and nowhere, device-1>central/bags:3: device-1:2']);
  });

  test('names a message that is left over somewhere', () => {
    const left = endChanged(vanished(quiet, 'device-1:10'), 'gateway', () => ({ live: ['device-1:10'] }));
    expect(noLoss(left).violations).toEqual(['device-1:10 is still at gateway']);
  });

  test.each(['given-up', 'dead-letter'] as const)('does not let a received message be %s too', (kind) => {
    const twice = {
      kind,
      node: 'central',
      key: 'device-1:1',
      identity: 'x',
      gone: 'gone',
      previous: 'x',
      classes: ['POISON'],
      reason: 'x',
    };
    expect(noLoss(inserted(quiet, the('acked', 'device-1:1'), twice)).violations).toEqual([
      'device-1:1 ended twice: received, dead-lettered',
    ]);
  });

  test('does not let an expired message be received', () => {
    const acked = { kind: 'acked', node: 'central', key: 'device-1:3', identity: 'x', gone: 'gone' };
    expect(noLoss(inserted(quiet, the('freed', 'device-1:3', 'central'), acked)).violations).toHaveLength(1);
  });

  test('lets an upstream copy rot that has arrived already', () => {
    const tale = new Tale().send('device-1:1').accept('device-1:1').free('device-1:1', 'device-1', 'handed-over', ['gateway']);
    tale.deliver('device-1:1').effect('device-1:1').ack('device-1:1').free('device-1:1', 'gateway', 'corrupt');
    expect(noLoss(tale.end(nodes)).violations).toEqual([]);
  });

  test('calls received what took effect, though the acknowledgement was never answered', () => {
    expect(noLoss(without(quiet, the('acked', 'device-1:1'))).violations).toEqual([]);
    expect(
      noLoss(without(quiet, (event) => the('acked', 'device-1:1')(event) || the('freed', 'device-1:1', 'central')(event)))
        .violations,
    ).toEqual([]);
  });

  test('calls a dead letter that was dropped from $dead what it is: dead-lettered', () => {
    const dropped = { kind: 'freed', node: 'central', key: 'device-1:9', reason: 'dropped', heldBy: [] };
    expect(noLoss(inserted(quiet, the('given-up', 'device-1:9'), dropped)).violations).toEqual([]);
  });

  test('excuses what was destroyed, what lies on a dead node, and what a lying disk said', () => {
    expect(noLoss(troubledRun()).violations).toEqual([]);
    const honest = without(troubledRun(), (event) => event.kind === 'fault' && event.fault === 'flushes lie');
    expect(noLoss(honest).violations).toEqual(['accepted and nowhere, device-2>central/bags:3: device-2:2']);
    const alive = changed(troubledRun(), the('healed'), { dead: [] });
    expect(noLoss(alive).violations).toEqual(['accepted and nowhere, device-3>central/bags:3: device-3:1']);
  });

  test('excuses what waits for a dead gateway, and nothing that a living one should take', () => {
    const waits = (dead: string[], hand: string) => {
      const tale = new Tale().send('device-1:1').accept('device-1:1').free('device-1:1', 'device-1', 'handed-over', [hand]);
      tale.free('device-1:1', hand, 'handed-over', ['central']).deliver('device-1:1').effect('device-1:1').ack('device-1:1');
      tale.send('device-1:2').accept('device-1:2').tell({ kind: 'healed', dead });
      return noLoss(tale.end([atRest('central'), { ...atRest('device-1'), live: ['device-1:2'] }])).violations;
    };
    expect(waits(['gateway'], 'gateway')).toEqual([]);
    expect(waits(['device-9'], 'gateway')).toEqual(['device-1:2 is still at device-1']);
    expect(waits([], 'gateway')).toEqual(['device-1:2 is still at device-1']);
  });

  test('excuses what went with a disk that was exchanged, from the node that had it', () => {
    const exchanged = (target: string) => {
      const tale = new Tale().send('device-1:1').accept('device-1:1').free('device-1:1', 'device-1', 'handed-over', ['gateway']);
      return noLoss(tale.tell({ kind: 'fault', fault: 'empty disk', target, untilMs: tale.nowMs }).end(nodes)).violations;
    };
    expect(exchanged('gateway')).toEqual([]);
    expect(exchanged('device-1')).toHaveLength(1);
  });

  test('excuses what was answered before it was written, when the node died then', () => {
    const early = changed(vanished(quiet, 'device-1:1'), the('accepted', 'device-1:1'), {
      durability: 'interval',
      kept: 'not-kept',
    });
    expect(noLoss(early).violations).toHaveLength(1);
    const died = inserted(early, the('accepted', 'device-1:1'), { kind: 'opening', node: 'device-1' });
    expect(noLoss(died).violations).toEqual([]);
  });
});

describe('S2, no phantom', () => {
  test.each([
    ['other bytes than were sent', { crc: 99 }],
    ['7 bytes instead of 100', { bytes: 7 }],
    ['priority 4 instead of 3', { priority: 4 }],
    ['sent to central/bags', { queue: 'alarms' }],
  ])('notices %s', (text, change) => {
    const { violations } = noPhantom(changed(quiet, the('delivered', 'device-1:1'), change));
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain(text);
  });

  test('notices what nobody sent, delivered or dead', () => {
    expect(noPhantom(changed(quiet, the('delivered', 'device-1:1'), { key: undefined })).violations[0]).toContain('nobody sent');
    expect(noPhantom(changed(quiet, the('delivered', 'device-1:1'), { key: 'device-7:1' })).violations).toEqual([
      'device-7:1 at central/bags: nobody sent it',
    ]);
    expect(noPhantom(changed(quiet, the('dead-letter'), { key: 'device-7:1' })).violations).toHaveLength(1);
  });

  test('notices what arrives before it is sent', () => {
    const [send] = quiet.events.filter(the('send', 'device-1:1'));
    const late = inserted(without(quiet, the('send', 'device-1:1')), the('acked', 'device-1:1'), send ?? {});
    expect(noPhantom(late).violations).toEqual(['device-1:1 at central/bags: nobody sent it']);
  });

  test('notices what arrives though it was refused, unless the refusal left that open', () => {
    const refusal = (code: string) => ({ kind: 'refused', node: 'device-2', key: 'device-2:3', code });
    expect(noPhantom(inserted(quiet, the('send', 'device-2:3'), refusal('QUEUE_FULL'))).violations).toHaveLength(1);
    expect(noPhantom(inserted(quiet, the('send', 'device-2:3'), refusal('IN_DOUBT'))).violations).toEqual([]);
  });

  test('lets a message be sent again after it was refused', () => {
    const tale = new Tale()
      .send('device-1:1', { bytes: 50 })
      .tell({ kind: 'refused', node: 'device-1', key: 'device-1:1', code: 'BUSY' });
    expect(noPhantom(tale.whole('device-1:1').end(nodes)).violations).toEqual([]);
  });

  test('lets a send that was never answered arrive', () => {
    expect(noPhantom(quiet).violations).toEqual([]);
    expect(quiet.events.filter(the('accepted', 'device-2:3'))).toEqual([]);
  });
});

describe('S3, no duplicate effect', () => {
  const again = (maybeDuplicate: 'maybe' | 'no') =>
    inserted(quiet, the('acked', 'device-1:1'), {
      kind: 'effect',
      node: 'central',
      key: 'device-1:1',
      identity: 'other',
      maybeDuplicate,
    });

  test('notices a second effect, under whatever identity', () => {
    expect(noDuplicateEffect(again('no')).violations).toHaveLength(1);
  });

  test('lets a repeat happen that says of itself that it may be one, and counts it', () => {
    const { violations, looked } = noDuplicateEffect(again('maybe'));
    expect(violations).toEqual([]);
    expect(looked).toBe(noDuplicateEffect(quiet).looked + 1);
  });

  test('lets a message be delivered again, as long as it takes effect once', () => {
    expect(quiet.events.filter(the('delivered', 'device-1:6'))).toHaveLength(2);
    expect(noDuplicateEffect(quiet).violations).toEqual([]);
  });
});

function withAccount(
  history: History,
  account: Parameters<typeof atRest>[1] extends readonly (infer A)[] | undefined ? A : never,
): History {
  return endChanged(history, 'central', ({ stats }) => ({
    stats: { ...stats, accounts: [...stats.accounts, ...atRest('central', [account]).stats.accounts] },
  }));
}

test('on the way to a node that nobody reaches an account stands for what wanted no letter, beside the letters of others', () => {
  const end = (count: number) => {
    const tale = new Tale();
    for (const key of ['device-1:1', 'device-1:2'])
      tale.send(key, { destination: 'device-9/orders' }).accept(key).free(key, 'device-1', 'handed-over');
    tale.letter('device-1:2', { node: 'gateway', classes: ['BAD_DST_Q'] });
    return tale.end([atRest('gateway', [['device-1', 'device-9/orders', 3, 'BAD_DST_Q', count]])]);
  };
  expect(noLoss(end(1)).violations).toEqual([]);
  expect(noLoss(end(0)).violations).toEqual(['accepted and nowhere, device-1>device-9/orders:3: device-1:1']);
});
