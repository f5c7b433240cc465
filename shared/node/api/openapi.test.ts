/** docs/openapi.json and the server say the same: what is in one is in the other, and what is answered has the shape that stands there. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { QUEUE_DEFAULTS } from '../../queue/queue-options.ts';
import { ApiFixture } from './api-fixture.ts';
import { ENDPOINTS } from './endpoints.ts';
import { STATUS_BY_CODE } from './reply.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly 'x-status'?: Readonly<Record<string, number>>;
}
interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example: unknown;
}
type Content = Readonly<Record<string, { readonly schema: Schema }>>;
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>> & { readonly parameters?: readonly Parameter[] }>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly parameters: Readonly<Record<string, Parameter>>;
  };
}

const PAGE: OpenApi = JSON.parse(readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'));
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

function resolved<T extends { readonly $ref?: string }>(value: T): T {
  if (value.$ref === undefined) return value;
  let found: unknown = PAGE;
  for (const part of value.$ref.slice(2).split('/')) found = (found as Record<string, unknown>)[part];
  if (found === undefined) throw new Error(`${value.$ref} leads nowhere`);
  return found as T;
}

function operationOf(method: string, path: string): Operation {
  const operation = PAGE.paths[path]?.[method.toLowerCase()];
  if (operation === undefined) throw new Error(`${method} ${path} is not there`);
  return operation;
}

/** What is wrong with a value, of the part of JSON Schema that the page uses. What is not described is wrong too: here, not for clients. */
function problems(value: unknown, schema: Schema, at = '$'): string[] {
  const { type, properties = {}, required = [], items, additionalProperties, ...rules } = resolved(schema);
  const found: string[] = [];
  if (type !== undefined && !hasType(value, type)) return [`${at} is no ${type}`];
  if (rules.const !== undefined && value !== rules.const) found.push(`${at} is not ${String(rules.const)}`);
  if (rules.enum !== undefined && !rules.enum.includes(value)) found.push(`${at} is none of ${rules.enum.join(', ')}`);
  if (typeof value === 'number' && (value < (rules.minimum ?? value) || value > (rules.maximum ?? value))) {
    found.push(`${at} is out of range`);
  }
  if (type === 'array' && items !== undefined) {
    for (const [i, item] of (value as unknown[]).entries()) found.push(...problems(item, items, `${at}[${i}]`));
  }
  if (type !== 'object') return found;
  const members = value as Record<string, unknown>;
  for (const name of required) if (!(name in members)) found.push(`${at}.${name} is missing`);
  for (const [name, member] of Object.entries(members)) {
    const described = properties[name] ?? additionalProperties;
    if (described === undefined || described === false) found.push(`${at}.${name} is not described`);
    else if (described !== true) found.push(...problems(member, described, `${at}.${name}`));
  }
  return found;
}

function hasType(value: unknown, type: NonNullable<Schema['type']>): boolean {
  switch (type) {
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isSafeInteger(value);
    default:
      return typeof value === type;
  }
}

test('its checker finds what is wrong', () => {
  const { schemas } = PAGE.components;
  const sent = { identity: 'i', durable: true, durability: 'sync' };
  const check = (value: unknown): string[] => problems(value, schemas.Sent ?? {});
  expect(check(sent)).toEqual([]);
  expect(check({ ...sent, identity: 1 })).toEqual(['$.identity is no string']);
  expect(check({ ...sent, durability: 'hope' })[0]).toContain('$.durability is none of');
  expect(check({ identity: 'i', durable: true })).toEqual(['$.durability is missing']);
  expect(check({ ...sent, more: 1 })).toEqual(['$.more is not described']);
});

describe('the page and the table of endpoints have the same', () => {
  test('methods and paths', () => {
    const described = Object.entries(PAGE.paths).flatMap(([path, item]) =>
      Object.keys(item).flatMap((method) => (METHODS.includes(method) ? [`${method.toUpperCase()} ${path}`] : [])),
    );
    expect(described.sort()).toEqual(ENDPOINTS.map(({ method, path }) => `${method} ${path}`).sort());
    const ids = ENDPOINTS.map(({ method, path }) => operationOf(method, path).operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each(ENDPOINTS.map((endpoint) => [endpoint.method, endpoint.path, endpoint] as const))(
    'parameters, bodies and answers of %s %s',
    (method, path, endpoint) => {
      const { parameters = [], requestBody, responses } = operationOf(method, path);
      const inPath = (PAGE.paths[path]?.parameters ?? []).map(({ name }) => `{${name}}`);
      expect(inPath).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(parameters.map((parameter) => resolved(parameter).name).sort()).toEqual([...endpoint.parameters].sort());
      const type = { none: undefined, message: '*/*', json: 'application/json' }[endpoint.body];
      expect(Object.keys(requestBody?.content ?? {})[0]).toBe(type);
      const statuses = Object.keys(responses).filter((status) => status !== 'default');
      expect(statuses.map(Number)).toEqual(endpoint.answers);
      expect(responses.default).toEqual({ $ref: '#/components/responses/Refused' });
    },
  );

  test('codes and their statuses', () => {
    const { ErrorCode } = PAGE.components.schemas;
    expect(ErrorCode?.['x-status']).toEqual(STATUS_BY_CODE);
    expect(ErrorCode?.enum).toEqual(Object.keys(ErrorCode?.['x-status'] ?? {}));
  });

  test('properties of queues', () => {
    const names = Object.keys(PAGE.components.schemas.QueueOptions?.properties ?? {});
    expect(names.sort()).toEqual(['bytesLimit', ...Object.keys(QUEUE_DEFAULTS)].sort());
  });

  test('parameters that are described are used', () => {
    const used = new Set(ENDPOINTS.flatMap(({ parameters }) => parameters));
    expect(new Set(Object.values(PAGE.components.parameters).map(({ name }) => name))).toEqual(used);
  });
});

/** One request after the other, by the operations they are of. Together they have every success there is. */
const REQUESTS: readonly (readonly [operation: string, url: string, status: number, body?: string])[] = [
  ['PUT /v1/queues/{queue}', '/v1/queues/bags', 204, '{"label":"L","retryFactor":1.5}'],
  ['PATCH /v1/queues/{queue}', '/v1/queues/bags', 204, '{"journal":"on"}'],
  ['POST /v1/send/{queue}', '/v1/send/bags?label=L&header:flight=BA123&acknowledge=full&deadLetter=off&journal=on', 200, 'x'],
  ['POST /v1/send/{queue}', '/v1/send/bags?appSpecific=1&responseQueue=a%2Fb&timeToReachQueueMs=1&contentType=a%2Fb', 200, 'x'],
  ['POST /v1/send/{node}/{queue}', '/v1/send/central/bags', 200, '{}'],
  ['GET /v1/peek/{queue}', '/v1/peek/bags', 200],
  ['GET /v1/peek/{queue}', '/v1/peek/bags?bodies=without', 200],
  ['GET /v1/peek/{queue}', '/v1/peek/bags?after=0.9', 204],
  ['POST /v1/receive/{queue}', '/v1/receive/bags', 200],
  ['POST /v1/leases/{lease}/extend', '/v1/leases/1.k3v9-1/extend', 204],
  ['POST /v1/leases/{lease}/nack', '/v1/leases/1.k3v9-1/nack', 204],
  ['POST /v1/receive/{queue}', '/v1/receive/bags?bodyAs=base64', 200],
  ['POST /v1/leases/{lease}/dead-letter', '/v1/leases/1.k3v9-2/dead-letter', 204],
  ['GET /v1/peek/{queue}', '/v1/peek/$dead', 200],
  ['POST /v1/queues/{queue}/redrive', '/v1/queues/$dead/redrive?lookupId=3', 200],
  ['POST /v1/queues/{queue}/move', '/v1/queues/bags/move?lookupId=2&to=bags%3Blater', 204],
  ['POST /v1/receive/{queue}', '/v1/receive/bags', 200],
  ['POST /v1/leases/{lease}/ack', '/v1/leases/1.k3v9-3/ack', 204],
  ['POST /v1/receive/{queue}', '/v1/receive/bags', 204],
  [
    'POST /v1/transactions',
    '/v1/transactions?producer=p&number=1',
    200,
    '{"steps":[{"do":"send","destination":"bags","body":1},{"do":"position","name":"trigger/t","valueBase64":"AA=="}]}',
  ],
  ['GET /v1/peek/{queue}', '/v1/peek/bags', 200],
  ['GET /v1/positions/{position}', '/v1/positions/trigger%2Ft', 200],
  ['GET /v1/positions/{position}', '/v1/positions/trigger%2Fnone', 204],
  ['DELETE /v1/producers/{producer}', '/v1/producers/p', 204],
  ['GET /v1/outcome', '/v1/outcome?identity=belt1:00c0ffee00c0ffee:belt1/bags:3:1', 200],
  ['GET /v1/holes', '/v1/holes', 200],
  ['POST /v1/holes/close', '/v1/holes/close?of=bags', 200],
  ['GET /v1/devices/{node}', '/v1/devices/belt1', 200],
  ['GET /v1/ping', '/v1/ping?node=belt1&waitMs=1', 200],
  ['GET /v1/trace', '/v1/trace?identity=belt1:00c0ffee00c0ffee:belt1/bags:3:1', 200],
  ['POST /v1/queues/{queue}/open', '/v1/queues/bags/open', 200],
  ['DELETE /v1/handles/{handle}', '/v1/handles/1.h7q2-1', 204],
  ['GET /v1/queues', '/v1/queues', 200],
  ['GET /v1/queues/{queue}', '/v1/queues/bags', 200],
  ['GET /v1/stats', '/v1/stats', 200],
  ['GET /v1/health', '/v1/health', 200],
  ['GET /v1/version', '/v1/version', 200],
  ['POST /v1/queues/{queue}/purge', '/v1/queues/bags/purge', 200],
  ['DELETE /v1/queues/{queue}', '/v1/queues/bags', 204],
];

describe('what is answered has the shape that stands there', () => {
  let api: ApiFixture;
  beforeAll(async () => {
    api = await ApiFixture.start();
  });
  afterAll(() => api.end());

  test('of every success', async () => {
    for (const [operation, url, status, body] of REQUESTS) {
      const [method = '', path = ''] = operation.split(' ');
      const answered = await api.ask(method, url, body === undefined ? {} : { body });
      expect([url, answered.status, answered.text]).toEqual([url, status, status === 204 ? '' : answered.text]);
      const schema = operationOf(method, path).responses[status]?.content?.['application/json']?.schema;
      expect([url, schema === undefined ? [] : problems(answered.json, schema)]).toEqual([url, []]);
      expect(schema === undefined).toBe(status === 204);
    }
    const missing = ENDPOINTS.flatMap(({ method, path, answers }) =>
      answers.flatMap((status) => {
        const isAsked = REQUESTS.some(([operation, , answered]) => operation === `${method} ${path}` && answered === status);
        return isAsked ? [] : [`${method} ${path} ${status}`];
      }),
    );
    expect(missing).toEqual(['POST /v1/stream/{queue} 200', 'GET /v1/health 503']);
  });

  test('of red health, and of each line of a stream', async () => {
    api.node.health = { status: 'red', causes: [{ code: 'RING_FULL', detail: 'x' }] };
    const red = await api.ask('GET', '/v1/health');
    expect([red.status, problems(red.json, PAGE.components.schemas.Health ?? {})]).toEqual([503, []]);
    await api.node.call({ verb: 'send', destination: 'lines', body: new Uint8Array(1), properties: {} });
    const text = api.ask('POST', '/v1/stream/lines');
    while (api.node.waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await api.node.call({ verb: 'deleteQueue', queue: 'lines' });
    const lines = (await text).text.trimEnd().split('\n');
    const [received, refusal] = lines.map((line): unknown => JSON.parse(line));
    const { Received = {}, Refusal = {} } = PAGE.components.schemas;
    expect([problems(received, Received), problems(refusal, Refusal)]).toEqual([[], []]);
  });

  test('of every refusal', async () => {
    const { Refusal = {} } = PAGE.components.schemas;
    for (const { method, path } of ENDPOINTS) {
      const answered = await api.ask(method, `${path.replaceAll(/\{\w+\}/g, 'x')}?unheard=of`);
      expect([path, answered.status, answered.json.code, problems(answered.json, Refusal)]).toEqual([
        path,
        400,
        'REQUEST_INVALID',
        [],
      ]);
    }
  });

  test('and each parameter is taken as it is described, with each of its words', async () => {
    for (const { method, path } of ENDPOINTS) {
      for (const parameter of (operationOf(method, path).parameters ?? []).map(resolved)) {
        const { name, schema, example } = parameter;
        for (const value of schema.enum ?? [example]) {
          const query = new URLSearchParams(
            typeof value === 'object' ? (value as Record<string, string>) : { [name]: String(value) },
          );
          if (name === 'producer') query.set('number', '1');
          if (name === 'number') query.set('producer', `p${path.length}`);
          for (const other of operationOf(method, path).parameters ?? []) {
            const needed = resolved(other);
            if (needed.required === true && needed.name !== name) query.set(needed.name, String(needed.example));
          }
          const body = path === '/v1/transactions' ? { body: '{"steps":[]}' } : {};
          const url = `${path.replaceAll(/\{\w+\}/g, path.startsWith('/v1/send') ? 'sent' : 'absent')}?${query}`;
          const answered = await api.ask(method, url, body);
          expect([url, answered.json?.code]).not.toEqual([url, 'REQUEST_INVALID']);
          expect([url, answered.json?.code]).not.toEqual([url, 'PROPERTY_INVALID']);
        }
      }
    }
  });
});
