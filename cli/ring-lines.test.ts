import { expect, test } from 'vitest';
import type { PutEntry } from '../shared/ring/entry-layout.ts';
import { messageLine, parseLine } from './ring-lines.ts';

const ENTRY: PutEntry = {
  ...{
    kind: 'put',
    id: 7,
    queue: 3,
    priority: 5,
    copy: false,
    damaged: false,
    deliveryCount: 2,
    moveCount: 0,
    stream: 1,
    number: 9,
  },
  ...{ epochCounter: 4, epochRandom: 5, storedAtMs: 10, expiresAtMs: 20, notBeforeMs: 30 },
  ...{ bodyBytes: 2, bodyCrc: 0, bodyOffset: 0 },
};
const BODY = new Uint8Array([1, 2]);

test.each([0, 1, 65_535])('a message that was moved %i times is exported and imported with that', (moveCount) => {
  const entry = { ...ENTRY, moveCount };
  const text = messageLine(entry, BODY);
  expect(text.includes('moveCount')).toBe(moveCount > 0);
  expect(parseLine(text)).toEqual({ kind: 'message', entry, body: BODY });
});

test.each([-1, 65_536, '1', null])('no message was moved %j times', (moveCount) => {
  const line = { ...JSON.parse(messageLine(ENTRY, BODY)), moveCount };
  expect(parseLine(JSON.stringify(line))).toBe('moveCount');
});
