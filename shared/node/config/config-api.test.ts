/** `[api]` over the network: never without tokens, never without TLS where other machines could listen. */
import { describe, expect, test } from 'vitest';
import { hasCode } from '../../errors.ts';
import { parseConfig } from './config.ts';

const FROM = { directory: '/etc/ringmail' };

function issuesOf(api: string): readonly string[] {
  try {
    parseConfig(`name = "n1"\n[api]\n${api}`, FROM);
    return [];
  } catch (error) {
    if (hasCode(error, 'CONFIG_INVALID')) return error.details.issues;
    throw error;
  }
}

const TLS = 'certFile = "n1.crt"\nkeyFile = "n1.key"\n';
const TOKENS = 'tokens = "tokens"\n';

test('is off unless somebody says where', () => {
  expect(parseConfig('name = "n1"', FROM).api.remote).toBeUndefined();
});

test('paths start where the file lies', () => {
  expect(parseConfig(`name = "n1"\n[api]\nlisten = "0.0.0.0:8443"\n${TLS}${TOKENS}`, FROM).api.remote).toEqual({
    listen: { host: '0.0.0.0', port: 8443 },
    certFile: '/etc/ringmail/n1.crt',
    keyFile: '/etc/ringmail/n1.key',
    tokens: '/etc/ringmail/tokens',
  });
});

test.each(['127.0.0.1', '[::1]', 'localhost'])('%s is reached by this machine alone, and needs no TLS', (host) => {
  expect(issuesOf(`listen = "${host}:8080"\n${TOKENS}`)).toEqual([]);
});

describe('is refused', () => {
  test.each<[string, string, string]>([
    [
      'without tokens',
      'listen = "127.0.0.1:1"',
      'line 3: api.listen: needs tokens = "<file>": who asks over the network has to be known',
    ],
    [
      'without TLS',
      `listen = "0.0.0.0:1"\n${TOKENS}`,
      'line 3: api.listen: other machines reach 0.0.0.0: that takes certFile and keyFile',
    ],
    [
      'with a certificate alone',
      `listen = "h:1"\ncertFile = "c"\n${TOKENS}`,
      'line 4: api.certFile: certFile and keyFile go together',
    ],
    [
      'with a key alone',
      `listen = "127.0.0.1:1"\nkeyFile = "k"\n${TOKENS}`,
      'line 4: api.keyFile: certFile and keyFile go together',
    ],
    ['with tokens for nothing', TOKENS, 'line 3: api.tokens: is of use only with listen = "<host>:<port>"'],
    [
      'where something else listens',
      `listen = "localhost:1883"\n${TOKENS}[broker]`,
      "line 3: api.listen: '127.0.0.1:1883' is taken by broker.listen (line 5)",
    ],
  ])('%s', (_name, api, issue) => expect(issuesOf(api)).toEqual([issue]));
});
