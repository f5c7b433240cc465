import { expect, test } from 'vitest';
import { encodeEnvelope } from '../../shared/message/envelope.ts';
import type { Message } from '../../shared/message/message.ts';
import { keyOf, known, letterOf } from './letters.ts';

const ENDING = { class: 'POISON', node: 'central', reason: 'nobody wants it' } as const;
function message(destination: string, more: Partial<Message> = {}): Message {
  const identity = { origin: 'central', incarnation: '0f3a51c2aa017e44', destination, priority: 3, number: 1 };
  return { identity, epoch: { counter: 1, random: 1 }, priority: 3, body: letterOf('device-1:7', 3_000), ...more };
}
const LETTER = 'central:0f3a51c2aa017e44:central/$dead:3:5';
const PLACED = 'gateway-1:0f3a51c2aa017e44:central/place-2:3:5';
const MESSAGE = 'device-1:0f3a51c2aa017e44:central/bags:3:5';

test.each([
  ['a message', message('central/bags'), 'device-1:7', 'message'],
  ['a dead letter', message('central/$dead', { previous: MESSAGE, history: [ENDING] }), 'device-1:7', 'letter'],
  ['one in a queue of its own', message('central/unwanted', { previous: MESSAGE, history: [ENDING] }), 'device-1:7', 'letter'],
  ['one that was sent again', message('central/bags', { previous: LETTER, history: [ENDING] }), 'device-1:7~', 'redriven'],
  ['a copy in a journal', message('central/$journal', { previous: MESSAGE }), 'device-1:7^', 'copy'],
  ['one that a route made', message('central/place-2', { previous: MESSAGE }), 'device-1:7>2', 'message'],
  ['the dead letter of one', message('central/$dead', { previous: PLACED, history: [ENDING] }), 'device-1:7>2', 'letter'],
  ['a moved one', message('central/bags', { previous: MESSAGE }), 'device-1:7', 'message'],
])('%s is known by its bytes', (_name, what, key, nature) => {
  expect(known(encodeEnvelope(what))).toEqual({ key, nature });
});

test('a message that was sent again is another one, and so is its letter', () => {
  const again = message('central/bags', { history: [ENDING] });
  expect([keyOf(again), keyOf(again, 'letters')]).toEqual(['device-1:7~', 'device-1:7']);
  expect(keyOf(message('central/$dead', { history: [ENDING, ENDING] }), 'letters')).toBe('device-1:7~');
});

test('what a route made is known by its place, and by the body that it shares', () => {
  const made = message('central/place-2', { previous: MESSAGE });
  expect([keyOf(made), keyOf(message('central/$dead', { previous: PLACED, history: [ENDING] }), 'letters')]).toEqual([
    'device-1:7>2',
    'device-1:7>2',
  ]);
  const bodiless = encodeEnvelope({ ...made, body: Uint8Array.of(1, 2, 3) });
  expect(known(bodiless)).toBeUndefined();
  expect(known(bodiless, 'device-1:7')).toEqual({ key: 'device-1:7>2', nature: 'message' });
});
