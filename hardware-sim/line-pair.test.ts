import { expect, test } from 'vitest';
import { linePair } from './line-pair.ts';

function recorder() {
  const seen: string[] = [];
  return {
    seen,
    onBytes: (bytes: Uint8Array) => void seen.push(String.fromCharCode(...bytes)),
    onClosed: (reason: string) => void seen.push(`closed: ${reason}`),
  };
}
const letters = (text: string): Uint8Array => new TextEncoder().encode(text);
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what one end writes the other hears, later, in order, even from before it listened', async () => {
  const [a, b] = linePair();
  const heard = recorder();
  a.write(letters('one'));
  await settled();
  b.listen(heard);
  expect(a.write(letters('two'))).toBe(0);
  expect(heard.seen).toEqual([]);
  await settled();
  expect(heard.seen).toEqual(['one', 'two']);
});

test('both ends close, once each, and nothing comes after it', async () => {
  const [a, b] = linePair();
  const heard = { a: recorder(), b: recorder() };
  a.listen(heard.a);
  b.listen(heard.b);
  b.write(letters('lost'));
  a.close();
  a.close();
  b.close();
  a.write(letters('too late'));
  expect([...heard.a.seen, ...heard.b.seen]).toEqual([]);
  await settled();
  expect(heard).toMatchObject({ a: { seen: ['closed: closed'] }, b: { seen: ['closed: closed by the other end'] } });
});

test('tells whoever listens late that it is closed', async () => {
  const [a, b] = linePair();
  a.close();
  const heard = recorder();
  b.listen(heard);
  await settled();
  expect(heard.seen).toEqual(['closed: closed by the other end']);
});

test('takes a copy', async () => {
  const [a, b] = linePair();
  const heard = recorder();
  b.listen(heard);
  const bytes = letters('abc');
  a.write(bytes);
  bytes.fill(0);
  await settled();
  expect(heard.seen).toEqual(['abc']);
});
