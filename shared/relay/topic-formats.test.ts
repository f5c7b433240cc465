/** What strangers get to read: each form byte for byte, topics with gaps, and what cannot be published. */
import { describe, expect, test } from 'vitest';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import { encodeEnvelope } from '../message/envelope.ts';
import type { Message } from '../message/message.ts';
import { type Formed, formPublish } from './topic-formats.ts';

const ORIGINAL = 'belt-3:a0a1a2a3a4a5a6a7:edge-1/scans:5:12';

function formed(destination: string, more: Partial<Message> = {}): Formed {
  const identity = { origin: 'edge-1', incarnation: 'b0b1b2b3b4b5b6b7', destination, priority: 5, number: 40 };
  const message: Message = {
    identity,
    epoch: { counter: 1, random: 2 },
    priority: 5,
    body: toUtf8('{"tag": 7}'),
    previous: ORIGINAL,
    ...more,
  };
  return formPublish(destination, encodeEnvelope(message));
}

function textOf(made: Formed): string {
  return made.kind === 'formed' ? (fromUtf8(made.payload) ?? 'not UTF-8') : `${made.class}: ${made.reason}`;
}

const topicOf = (made: Formed): string => (made.kind === 'formed' ? made.topic : `${made.class}: ${made.reason}`);

describe('json', () => {
  test('a JSON body is a value in it, as it was written', () => {
    const made = formed('topic+json:hall', { contentType: 'application/json', body: toUtf8('{"n": 12345678901234567890}') });
    expect(textOf(made)).toBe(
      `{"identity":"edge-1:b0b1b2b3b4b5b6b7:topic+json:hall:5:40","priority":5,"contentType":"application/json","previous":"${ORIGINAL}","body":{"n": 12345678901234567890}}`,
    );
  });

  test('all properties, and a body that is text', () => {
    const headers = new Map([
      ['a', 'b'],
      ['toString', 'c'],
    ]);
    const made = formed('topic+json:hall', {
      ...{ contentType: 'text/plain', label: 'seen', correlationId: 'c1', responseQueue: 'edge-1/r', appSpecific: 9, headers },
      body: toUtf8('a "b"'),
    });
    expect(textOf(made)).toBe(
      `{"identity":"edge-1:b0b1b2b3b4b5b6b7:topic+json:hall:5:40","priority":5,"contentType":"text/plain","label":"seen","correlationId":"c1","responseQueue":"edge-1/r","appSpecific":9,"headers":{"a":"b","toString":"c"},"previous":"${ORIGINAL}","bodyText":"a \\"b\\""}`,
    );
  });

  test.each<[string, Partial<Message>, string]>([
    ['JSON that is none is text', { contentType: 'application/json', body: toUtf8('{') }, '"bodyText":"{"'],
    [
      'half a surrogate pair is text',
      { contentType: 'application/json', body: toUtf8('"\\ud800"') },
      '"bodyText":"\\"\\\\ud800\\""',
    ],
    ['bytes are base64', { contentType: 'application/cbor', body: Uint8Array.of(0xa1, 0, 255) }, '"bodyBase64":"oQD/"'],
    ['text that is not UTF-8 is base64', { contentType: 'text/plain', body: Uint8Array.of(255) }, '"bodyBase64":"/w=="'],
    ['no type is text', { body: toUtf8('x') }, '"bodyText":"x"'],
  ])('%s', (_name, more, member) => {
    const text = textOf(formed('topic+json:hall', more));
    expect(text.endsWith(`,${member}}`), text).toBe(true);
    expect(() => JSON.parse(text)).not.toThrow();
  });
});

describe('cloudevents', () => {
  test('its id is the identity of the message that was routed; its source where that was sent to; headers are extensions', () => {
    const headers = new Map([
      ['mqtt-topic', 'scanner/3'],
      ['id', 'not this one'],
      ['MQTT_topic', 'too late'],
      ['a-name-that-is-far-too-long', 'x'],
    ]);
    const made = formed('topic+cloudevents:hall', { contentType: 'application/json', label: 'tag.seen', headers });
    expect(textOf(made)).toBe(
      `{"specversion":"1.0","id":"${ORIGINAL}","source":"/belt-3/scans","type":"tag.seen","datacontenttype":"application/json","priority":5,"mqtttopic":"scanner/3","data":{"tag": 7}}`,
    );
  });

  test('without a label, and with bytes', () => {
    const made = formed('topic+cloudevents:hall', { body: Uint8Array.of(255, 254) });
    expect(JSON.parse(textOf(made))).toEqual({
      ...{ specversion: '1.0', id: ORIGINAL, source: '/belt-3/scans', type: 'ringmail.message', priority: 5 },
      data_base64: '//4=',
    });
  });
});

test('raw is the body and nothing else, envelope all of it', () => {
  const body = Uint8Array.of(1, 0, 255);
  expect(formed('topic:hall', { body })).toMatchObject({ topic: 'hall', payload: body });
  const envelope = formed('topic+envelope:hall', { body });
  expect(envelope).toMatchObject({ topic: 'hall', properties: { contentType: 'application/cbor' } });
  expect(envelope.kind === 'formed' && envelope.payload.length).toBeGreaterThan(60);
});

test('MQTT 5 hears type, correlation, and the rest as user properties; what no broker takes is left out', () => {
  const headers = new Map([
    ['belt', '3'],
    ['bad', 'a\u0000b'],
  ]);
  const more = { contentType: 'text/plain', correlationId: 'c1', label: 'seen', headers };
  expect(formed('topic:hall', more)).toMatchObject({
    properties: {
      contentType: 'text/plain',
      correlationId: 'c1',
      user: [
        ['identity', ORIGINAL],
        ['priority', '5'],
        ['label', 'seen'],
        ['belt', '3'],
      ],
    },
  });
  expect(formed('topic+json:hall', more)).toMatchObject({ properties: { contentType: 'application/json' } });
});

describe('a topic with gaps', () => {
  const headers = new Map([['mqtt-topic', 'scanner/3']]);

  test.each([
    ['hall/{origin}/{queue}/{priority}', 'hall/belt-3/scans/5'],
    ['hall/{label}/{contentType}/{correlationId}', 'hall/a_b_/-/c_'],
    ['mirror/{header:mqtt-topic}/{header:none}', 'mirror/scanner/3/-'],
  ])('%s is %s', (template, topic) => {
    expect(topicOf(formed(`topic:${template}`, { label: 'a+b#', correlationId: 'c\u0000', headers }))).toBe(topic);
  });

  test.each([
    ['{label}/x', { label: 'ringmail' }, /^BAD_DST_Q: topic ringmail\/x: topics below/],
    ['{label}/x', { label: '$SYS' }, /^BAD_DST_Q: topic \$SYS\/x: topics that begin/],
    ['{label}{label}{label}', { label: 'x'.repeat(200) }, /^BAD_DST_Q: .*at most 512 bytes/],
  ])('that %j fills with what nobody may publish to is given up', (template, more, problem) => {
    expect(topicOf(formed(`topic:${template}`, more))).toMatch(problem);
  });
});

test('what is no envelope is told, not thrown', () => {
  expect(formPublish('topic:hall', Uint8Array.of(1, 2, 3))).toMatchObject({ kind: 'refused', class: 'CORRUPT' });
});
