import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JSON_DEPTH_MAX } from '../../limits.ts';
import { isPlainJson } from '../../message/plain-json.ts';
import { type BodyForm, bodyFormOf, exactText, guessContentType } from './body-forms.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const LATIN1 = Uint8Array.of(0x47, 0xe4);

describe('a body is shown', () => {
  test.each<[string | undefined, Uint8Array, BodyForm]>([
    ['application/json', bytes('{"a":1}'), { kind: 'json', json: '{"a":1}' }],
    ['Application/JSON; charset=utf-8', bytes('1'), { kind: 'json', json: '1' }],
    ['application/cloudevents+json', bytes('[]'), { kind: 'json', json: '[]' }],
    ['application/json', bytes('{"n":12345678901234567890.10}'), { kind: 'json', json: '{"n":12345678901234567890.10}' }],
    ['application/json', bytes('{\r\n"a":"\\n"\n}'), { kind: 'json', json: '{  "a":"\\n" }' }],
    ['application/json', bytes(''), { kind: 'text', text: '' }],
    ['application/json', bytes('{"a":1}}'), { kind: 'text', text: '{"a":1}}' }],
    ['application/json', bytes('\ufeff{}'), { kind: 'text', text: '\ufeff{}' }],
    ['application/json', LATIN1, { kind: 'bytes' }],
    ['text/plain', bytes('Gepäck\0'), { kind: 'text', text: 'Gepäck\0' }],
    ['text/plain', bytes('\ufeffx'), { kind: 'text', text: '\ufeffx' }],
    ['text/plain; charset=iso-8859-1', LATIN1, { kind: 'bytes' }],
    ['application/xml', bytes('<a/>'), { kind: 'text', text: '<a/>' }],
    ['image/svg+xml', bytes('<a/>'), { kind: 'text', text: '<a/>' }],
    [undefined, bytes('x'), { kind: 'text', text: 'x' }],
    [undefined, LATIN1, { kind: 'bytes' }],
    ['application/octet-stream', bytes('x'), { kind: 'bytes' }],
    ['application/cbor', bytes('x'), { kind: 'bytes' }],
  ])('%s %j as %j', (type, body, form) => expect(bodyFormOf(type, body)).toEqual(form));
});

describe('JSON that a strict parser would refuse is shown as text', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

  test.each<[string, string, boolean]>([
    ['as deep as allowed', nested(JSON_DEPTH_MAX), true],
    ['one level deeper', nested(JSON_DEPTH_MAX + 1), false],
    ['a nested bomb', nested(100_000), false],
    ['brackets in a string', `"${nested(100)}"`, true],
    ['brackets behind escaped quotes', `["${'\\"['.repeat(100)}"]`, true],
    ['wide, not deep', `[${'[],'.repeat(1000)}[]]`, true],
    ['an escaped pair', '"\\ud83d\\ude00"', true],
    ['a first half alone', '"\\ud83d"', false],
    ['a second half alone', '"\\ude00"', false],
    ['a first half and another escape', '"\\ud83d\\u0041"', false],
    ['a first half and a letter', '"\\ud83dx"', false],
    ['an escaped backslash before what looks like one', '"\\\\ud83d"', true],
    ['an ordinary escape', '"\\u00e4"', true],
    ['a key that is none in some languages', '{"__proto__":{"a":1}}', true],
    ['no JSON', 'nul', false],
  ])('%s', (_name, json, plain) => expect(isPlainJson(json)).toBe(plain));

  test('any JSON of ordinary values is shown as the value it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const form = bodyFormOf('application/json', bytes(JSON.stringify(value)));
        expect(form.kind === 'json' && JSON.parse(form.json)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 50 },
    );
  });
});

test('text is exact or it is none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (body) => {
      const text = exactText(body);
      if (text !== undefined) expect(new Uint8Array(Buffer.from(text))).toEqual(body);
    }),
  );
});

test.each<[string | Uint8Array, string]>([
  ['{"tag":"0117814872"}', 'application/json'],
  [' [1]', 'application/json'],
  ['{tag}', 'text/plain'],
  ['0117814872', 'text/plain'],
  ['"x"', 'text/plain'],
  ['', 'text/plain'],
  [LATIN1, 'application/octet-stream'],
])('%j without a type is %s', (body, type) => expect(guessContentType(typeof body === 'string' ? bytes(body) : body)).toBe(type));
