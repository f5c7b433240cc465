import { describe, expect, test } from 'vitest';
import { noLoss } from './check-delivery.ts';
import { memoryIsKept } from './check-memory.ts';
import { atRest, Tale } from './quiet-run.ts';

const KEY = 'central:1';
const express = () =>
  new Tale().boot('central').send(KEY, { delivery: 'express' }).accept(KEY, { durability: 'volatile', kept: 'not-kept' });
const asked = (tale: Tale, outcome: 'kept' | 'absent' | 'unknown') =>
  tale.tell({ kind: 'outcome', node: 'central', key: KEY, identity: tale.identityOf(KEY), outcome });
const texts = (tale: Tale) => memoryIsKept(tale.end([atRest('central')]));

describe('S16, messages in memory only', () => {
  test('looks at each, and lets it go with its node', () => {
    const gone = express().down('central', 'crash').boot('central');
    expect(texts(asked(gone, 'unknown'))).toEqual({ violations: [], looked: 1 });
    expect(noLoss({ ...gone.end([]) }).violations).toEqual([]);
    expect(texts(new Tale().whole('device-1:1')).looked).toBe(0);
  });

  test('notices one that is lost though its node was stopped in order, or never died', () => {
    const lost = (tale: Tale) => noLoss(tale.end([atRest('central')])).violations;
    const text = `accepted and nowhere, central>central/bags:3: ${KEY}`;
    expect(lost(express())).toEqual([text]);
    expect(lost(express().down('central', 'in order').boot('central'))).toEqual([text]);
    expect(lost(express().down('central', 'in order').boot('central').deliver(KEY).effect(KEY).ack(KEY))).toEqual([]);
  });

  test('notices one that comes again after its node died, or after it was acknowledged', () => {
    expect(texts(express().down('central', 'crash').boot('central').deliver(KEY)).violations).toEqual([
      `${KEY} delivered, though central had died with it`,
    ]);
    expect(texts(express().deliver(KEY).effect(KEY).ack(KEY).down('central', 'in order').deliver(KEY, 2)).violations).toEqual([
      `${KEY} delivered after it was acknowledged at central`,
    ]);
  });

  test('notices a node that says of what is gone that it is kept, or of what it took that it never was', () => {
    const gone = () => express().down('central', 'crash').boot('central');
    expect(texts(asked(gone(), 'kept')).violations).toHaveLength(1);
    expect(texts(asked(gone(), 'absent')).violations).toHaveLength(1);
    expect(texts(asked(express().down('central', 'in order').boot('central'), 'kept')).violations).toEqual([]);
  });
});
