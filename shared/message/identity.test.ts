import { expect, test } from 'vitest';
import { identityText, parseIdentity } from './identity.ts';

const identity = { origin: 'device-1', incarnation: '0f3a51c2aa017e44', destination: 'central/bags', priority: 3, number: 17 };
const text = 'device-1:0f3a51c2aa017e44:central/bags:3:17';

test('an identity is one line of text, both ways', () => {
  expect(identityText(identity)).toBe(text);
  expect(parseIdentity(text)).toEqual(identity);
});

test.each([
  '',
  'a',
  text.slice(0, -3),
  `${text}:1`,
  text.replace(':3:', ':8:'),
  text.replace(':17', ':0'),
  text.replace(':17', ':-1'),
  text.replace('0f3a', '0F3A'),
  text.replace('central/bags', 'bags'),
  text.replace('central/bags', 'a/b/c'),
  text.replace('device-1', 'Device'),
])('%j is none', (other) => expect(parseIdentity(other)).toBeUndefined());
