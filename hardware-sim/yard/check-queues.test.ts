import { describe, expect, test } from 'vitest';
import { deadLettersAreKept, urgentFirst } from './check-queues.ts';
import type { RunFacts, SendEvent } from './history.ts';
import { type Account, atRest, changed, endChanged, inserted, quietRun, Tale, the, without } from './quiet-run.ts';

const quiet = quietRun();

describe('S9, dead letters', () => {
  test('notices a message that was given up, and is not in $dead', () => {
    expect(deadLettersAreKept(without(quiet, the('dead-letter'))).violations).toEqual([
      'given up at central, not in $dead, and 0 dropped from there: device-1:9',
    ]);
  });

  test('lets $dead drop what it has an account for', () => {
    const letter: Account = ['central', 'central/$dead', 3, 'DROPPED', 1];
    const dropped = endChanged(without(quiet, the('dead-letter')), 'central', () => ({
      stats: atRest('central', [letter]).stats,
    }));
    expect(deadLettersAreKept(dropped).violations).toEqual([]);
  });

  test('does not ask a dead node, nor one whose disk was harmed', () => {
    const lost = without(quiet, the('dead-letter'));
    const end = lost.events.at(-1);
    const gone = changed(lost, the('end'), {
      nodes: end?.kind === 'end' ? end.nodes.filter(({ node }) => node !== 'central') : [],
    });
    expect(deadLettersAreKept(gone).violations).toEqual([]);
    const harm = { kind: 'destroyed', node: 'central', cause: 'old image', keys: [], doubtful: [] };
    expect(deadLettersAreKept(inserted(lost, the('given-up'), harm)).violations).toEqual([]);
  });

  test.each([
    ['no class', { classes: [] }],
    ['no reason', { reason: '' }],
    ['no link', { previous: undefined }],
    ['links to', { previous: 'device-1:0f3a51c2aa017e44:central/bags:3:99' }],
  ])('notices a letter with %s', (text, change) => {
    const { violations } = deadLettersAreKept(changed(quiet, the('dead-letter'), change));
    expect(violations.some((violation) => violation.includes(text))).toBe(true);
  });

  test('notices a letter that is there twice', () => {
    const letter = quiet.events.find(the('dead-letter'));
    expect(deadLettersAreKept(inserted(quiet, the('dead-letter'), letter ?? {})).violations).toHaveLength(1);
  });

  test('notices a letter of a message that no application had', () => {
    const letter = {
      kind: 'dead-letter',
      node: 'central',
      key: 'device-1:8',
      previous: undefined,
      classes: ['POISON'],
      reason: 'x',
    };
    expect(deadLettersAreKept(inserted(quiet, the('given-up'), letter)).violations).toEqual([
      'device-1:8 in $dead of central: no application had it',
    ]);
    const full = { ...letter, classes: ['Q_EXCEED_QUOTA'] };
    expect(deadLettersAreKept(inserted(quiet, the('given-up'), full)).violations).toEqual([]);
  });

  test('lets a letter link to an identity of a new life of its origin', () => {
    const moved = changed(quiet, the('dead-letter'), { previous: 'device-1:2222222222222222:central/bags:3:1' });
    expect(deadLettersAreKept(without(moved, the('given-up'))).violations).toEqual([]);
  });
});

describe('S9, delivery counts', () => {
  const counts = (...numbers: (number | 'boot')[]) => {
    const tale = new Tale().send('device-1:1').accept('device-1:1');
    for (const number of numbers) {
      if (number === 'boot') tale.boot('central');
      else tale.deliver('device-1:1', number);
    }
    return deadLettersAreKept(tale.end([atRest('central')])).violations;
  };

  test('rise with every delivery, over restarts', () => {
    expect(counts(1, 2, 'boot', 3, 5)).toEqual([]);
    expect(counts(1, 2, 'boot', 2)).toEqual(['device-1:1 at central: delivered as number 2, after 2']);
    expect(counts(1, 2, 'boot', 1)).toHaveLength(1);
  });

  test('stand still once: a first delivery that was not written yet when the node died', () => {
    expect(counts(1, 'boot', 1, 2)).toEqual([]);
    expect(counts(1, 1)).toHaveLength(1);
    expect(counts(1, 'boot', 1, 'boot', 1)).toHaveLength(1);
  });

  test('begin at one', () => {
    expect(counts(0)).toHaveLength(1);
  });
});

describe('S9, the patience of a queue', () => {
  const given = (deliveries: number, max: number, open: (tale: Tale) => Tale = (tale) => tale) => {
    const tale = new Tale().boot('central').boot('device-1').send('device-1:1').accept('device-1:1').carry('device-1:1');
    for (let count = 1; count <= deliveries; count++) tale.deliver('device-1:1', count);
    const history = open(tale)
      .letter('device-1:1')
      .end([atRest('central')]);
    const facts = { ...history.facts, deliveriesMax: { 'central/bags': max } };
    return deadLettersAreKept({ ...history, facts }).violations;
  };

  test('is at an end after so many deliveries, and not before', () => {
    expect(given(3, 3)).toEqual([]);
    expect(given(2, 3)).toEqual(['device-1:1 given up by its queue after 2 deliveries, of at most 3']);
  });

  test('counts a delivery of which nobody knows, where the node died', () => {
    expect(given(2, 3, (tale) => tale.boot('central'))).toEqual([]);
  });

  test('is not longer than that', () => {
    expect(given(3, 2)).toEqual(['device-1:1 delivered as number 3, of at most 2']);
  });
});

describe('S11, urgency', () => {
  const overtaken = (how: (tale: Tale) => Tale, after: (tale: Tale) => Tale = (tale) => tale) => {
    const tale = how(new Tale().send('device-1:1', { priority: 5 }).accept('device-1:1').send('device-1:2').accept('device-1:2'));
    const history = after(tale.deliver('device-1:2').effect('device-1:2').ack('device-1:2').deliver('device-1:1')).end([
      atRest('central'),
    ]);
    return urgentFirst(changed(history, the('delivered', 'device-1:2'), { overtook: ['device-1:1'] })).violations;
  };

  test('notices that a more urgent one waits', () => {
    expect(overtaken((tale) => tale)).toEqual(['device-1:2 at central/bags overtook device-1:1']);
  });

  test('lets one be overtaken that was given back, or destroyed', () => {
    expect(overtaken((tale) => tale.giveBack('device-1:1', 0))).toEqual([]);
    const rot = { kind: 'destroyed', node: 'central', cause: 'block rots', keys: ['device-1:1'], doubtful: [] } as const;
    expect(overtaken((tale) => tale.tell(rot))).toEqual([]);
  });

  test('does not judge what was taken before it was handed out: its count, or a slow disk, came first', () => {
    expect(overtaken((tale) => tale.boot('central'))).toEqual([]);
    expect(overtaken((tale) => tale.tell({ kind: 'fault', fault: 'disk slow', target: 'central', untilMs: 60_000 }))).toEqual([]);
  });

  test('looks where there is something to overtake', () => {
    expect(urgentFirst(quiet).looked).toBeGreaterThan(0);
    expect(urgentFirst(new Tale().whole('device-1:1').end([])).looked).toBe(0);
  });

  test('notices the least urgent left over while others went', () => {
    const left = (priority: number) => {
      const tale = new Tale().send('device-1:1', { priority }).accept('device-1:1').tell({ kind: 'healed', dead: [] });
      return urgentFirst(tale.whole('device-1:2').end([{ ...atRest('central'), live: ['device-1:1'] }])).violations;
    };
    expect(left(0)).toEqual(['device-1:1, priority 0, was left over in central/bags']);
    expect(left(7)).toEqual([]);
  });
});

describe('S9, letters that are not wanted, go elsewhere, or are sent again', () => {
  const givenUp = (how: Partial<SendEvent> = {}) =>
    new Tale()
      .boot('central')
      .send('device-1:1', how)
      .accept('device-1:1')
      .carry('device-1:1')
      .deliver('device-1:1')
      .giveUp('device-1:1');
  const of = (tale: Tale, accounts: readonly Account[] = [], facts: Partial<RunFacts> = {}) => {
    const history = tale.end([atRest('central', accounts)]);
    return deadLettersAreKept({ ...history, facts: { ...history.facts, ...facts } }).violations;
  };

  test('asks for no letter where none is wanted, but for an account', () => {
    const account: Account = ['device-1', 'central/bags', 3, 'POISON', 1];
    expect(of(givenUp({ deadLetter: 'off' }), [account])).toEqual([]);
    expect(of(givenUp({ deadLetter: 'off' }))).toEqual([
      '1 of device-1>central/bags:3 given up at central without a letter, 0 accounted for: device-1:1',
    ]);
    expect(of(givenUp({ deadLetter: 'off' }).letter('device-1:1'), [account])).toEqual([
      'device-1:1 in $dead of central: it wanted none',
    ]);
  });

  test('notices a letter in $dead though the queue has one of its own, with room', () => {
    const letterQueues = { 'central/bags': { queue: 'alarms', bytesLimit: 40_000 } };
    expect(of(givenUp().letter('device-1:1', { queue: 'alarms' }), [], { letterQueues })).toEqual([]);
    expect(of(givenUp().letter('device-1:1', { bytes: 100 }), [], { letterQueues })).toHaveLength(1);
    expect(of(givenUp().letter('device-1:1', { bytes: 100_000 }), [], { letterQueues })).toEqual([]);
  });

  test('takes a letter that was sent again for one that was there, and notices it beside what it became', () => {
    const again = () => givenUp().letter('device-1:1', { redriven: 'device-1:1~' }).send('device-1:1~').accept('device-1:1~');
    expect(of(again())).toEqual([]);
    expect(of(again().letter('device-1:1'))).toEqual([
      'device-1:1 in $dead of central: it was sent again as device-1:1~, and is still there',
    ]);
    const refused = givenUp().letter('device-1:1', { redriven: 'device-1:1~' });
    expect(of(refused.letter('device-1:1'))).toEqual([]);
  });

  test('counts what its node left out for want of room', () => {
    expect(of(givenUp())).toHaveLength(1);
    expect(of(givenUp().down('central', 'crash', { letters: 1 }))).toEqual([]);
  });
});
