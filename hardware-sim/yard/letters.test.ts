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
const MESSAGE = 'device-1:0f3a51c2aa017e44:central/bags:3:5';

test.each([
  ['a message', message('central/bags'), 'device-1:7', 'message'],
  ['a dead letter', message('central/$dead', { previous: MESSAGE, history: [ENDING] }), 'device-1:7', 'letter'],
  ['one in a queue of its own', message('central/unwanted', { previous: MESSAGE, history: [ENDING] }), 'device-1:7', 'letter'],
  ['one that was sent again', message('central/bags', { previous: LETTER, history: [ENDING] }), 'device-1:7~', 'redriven'],
  ['a copy in a journal', message('central/$journal', { previous: MESSAGE }), 'device-1:7^', 'copy'],
  ['a moved one', message('central/bags', { previous: MESSAGE }), 'device-1:7', 'message'],
])('%s is known by its bytes', (_name, what, key, nature) => {
  expect(known(encodeEnvelope(what))).toEqual({ key, nature });
});

test('a message that was sent again is another one, and so is its letter', () => {
  const again = message('central/bags', { history: [ENDING] });
  expect([keyOf(again), keyOf(again, 'letters')]).toEqual(['device-1:7~', 'device-1:7']);
  expect(keyOf(message('central/$dead', { history: [ENDING, ENDING] }), 'letters')).toBe('device-1:7~');
});
