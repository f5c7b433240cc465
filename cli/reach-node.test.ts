import { type FileHandle, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RingmailError } from '../shared/errors.ts';
import { openNode } from '../shared/node/library.ts';
import { lockFile } from '../shared/node/lock.ts';
import { CliFixture } from './cli-fixture.ts';
import { placeOf, RING_DEFAULT, SOCKET_DEFAULT, withNode } from './reach-node.ts';

/** These folders may lie in memory. */
const ALLOWED = ['--allow-volatile'];

let cli: CliFixture;
const handles: FileHandle[] = [];
beforeEach(() => {
  cli = new CliFixture();
});
afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close();
  await cli.end();
});

/** A ring that a node has served. */
async function makeRing(path = RING_DEFAULT): Promise<string> {
  const ring = join(cli.folder, path);
  const node = await openNode({ name: 'box-1', ring, ringBytes: 2 * 1024 * 1024, allowVolatile: true });
  await node.close();
  return ring;
}

/** As a node that runs does. */
async function lock(ringPath: string): Promise<void> {
  const handle = await open(ringPath, 'r+');
  handles.push(handle);
  await lockFile({ fd: handle.fd, path: ringPath });
}

describe('which node is meant', () => {
  const at = (path: string): string => resolve('/box', path);
  const place = (values: { socket?: string; ring?: string }, env: Record<string, string> = {}) =>
    placeOf(values, { ...cli.newWorld(), env, cwd: '/box', signal: new AbortController().signal } as never);

  test.each<[string, object, Record<string, string>, { socketPath: string | undefined; ringPath: string | undefined }]>([
    ['nothing said', {}, {}, { socketPath: SOCKET_DEFAULT, ringPath: RING_DEFAULT }],
    ['a socket', { socket: 's' }, {}, { socketPath: 's', ringPath: undefined }],
    ['a ring', { ring: 'r' }, {}, { socketPath: undefined, ringPath: 'r' }],
    ['both', { socket: 's', ring: '/r' }, {}, { socketPath: 's', ringPath: '/r' }],
    ['a socket in the environment', {}, { RINGMAIL_SOCKET: 'e' }, { socketPath: 'e', ringPath: undefined }],
    ['a ring in the environment', {}, { RINGMAIL_RING: 'e' }, { socketPath: undefined, ringPath: 'e' }],
    [
      'a socket, and a ring in the environment',
      { socket: 's' },
      { RINGMAIL_RING: 'e' },
      { socketPath: 's', ringPath: undefined },
    ],
    [
      'a ring, and a socket in the environment',
      { ring: 'r' },
      { RINGMAIL_SOCKET: 'e' },
      { socketPath: undefined, ringPath: 'r' },
    ],
  ])('%s', (_name, values, env, { socketPath, ringPath }) => {
    const whole = (path: string | undefined) => (path === undefined ? undefined : at(path));
    expect(place(values, env)).toEqual({ socketPath: whole(socketPath), ringPath: whole(ringPath), volatile: 'refuse' });
  });
});

describe('when no node runs', () => {
  test('the ring is opened, and what is sent is there for the next command', async () => {
    await makeRing();
    expect(await cli.run(['send', 'bags', '{"tag":"0117814872"}', ...ALLOWED])).toMatchObject({ code: 0, err: '' });
    expect(await cli.run(['stats', '--json', ...ALLOWED])).toMatchObject({ code: 0 });
    expect(await cli.run(['receive', 'bags', '--no-ack', ...ALLOWED])).toMatchObject({ code: 0, out: '{"tag":"0117814872"}\n' });
    expect(await cli.run(['receive', 'bags', ...ALLOWED])).toMatchObject({ code: 0, out: '{"tag":"0117814872"}\n' });
    expect(await cli.run(['receive', 'bags', ...ALLOWED])).toMatchObject({ code: 1, out: '' });
  });

  test('nothing is waited for, because nobody can send meanwhile', async () => {
    await makeRing();
    await cli.run(['send', 'bags', 'x', ...ALLOWED]);
    const before = performance.now();
    expect(await cli.run(['receive', 'bags', '-n', '2', '--wait', '1h', ...ALLOWED])).toMatchObject({ code: 0, out: 'x\n' });
    expect(performance.now() - before).toBeLessThan(60_000);
  });

  test.each<[string[], number, string]>([
    [[], 4, 'NODE_UNREACHABLE'],
    [['--ring', RING_DEFAULT], 2, 'USAGE_INVALID'],
  ])('receive --follow %j needs one, and does not keep it from starting', async (options, code, error) => {
    await makeRing();
    const ran = await cli.run(['receive', 'bags', '--follow', ...options]);
    expect([ran.code, ran.err.split('\n')[0]]).toEqual([code, `ringmail: ${error}`]);
  });

  test('and there is no ring, the node is unreachable and nothing is created', async () => {
    const { code, err } = await cli.run(['send', 'bags', 'x']);
    expect([code, err]).toEqual([
      4,
      expect.stringMatching(/^ringmail: NODE_UNREACHABLE\n {2}socket: .*ringmail\.sock\n {2}reason: ENOENT\n$/),
    ]);
  });

  test('a ring that is named is opened, whatever node runs elsewhere', async () => {
    await cli.serve();
    await makeRing('other.ring');
    expect(await cli.run(['send', 'bags', 'x', '--ring', 'other.ring', ...ALLOWED])).toMatchObject({ code: 0 });
    expect(cli.node.calls).toEqual([]);
  });
});

describe('when a node runs', () => {
  test('it is asked, and its ring is left alone', async () => {
    await lock(await makeRing());
    await cli.serve();
    expect(await cli.run(['send', 'bags', 'x'])).toMatchObject({ code: 0 });
    expect(cli.node.calls).toHaveLength(1);
  });

  test('but does not listen yet, the command waits for it and sends once', async () => {
    await lock(await makeRing());
    const running = cli.run(['send', 'bags', 'x', ...ALLOWED]);
    await cli.serve();
    expect(await running).toMatchObject({ code: 0 });
    expect(cli.node.calls.filter(({ verb }) => verb === 'send')).toHaveLength(1);
  });

  test('what has begun on a ring of our own is never begun again', async () => {
    const ringPath = await makeRing();
    let begun = 0;
    const use = async (): Promise<never> => {
      begun += 1;
      throw new RingmailError('RING_LOCKED', { path: ringPath, owner: 'somebody' });
    };
    await expect(
      withNode({ socketPath: cli.socketPath, ringPath, volatile: 'allow' }, cli.newWorld(), use),
    ).rejects.toMatchObject({
      code: 'RING_LOCKED',
    });
    expect(begun).toBe(1);
  });

  test('and only its ring is named, the command says who has it', async () => {
    const path = await makeRing();
    await lock(path);
    const { code, err } = await cli.run(['send', 'bags', 'x', '--ring', RING_DEFAULT, ...ALLOWED]);
    expect([code, err.split('\n')[0]]).toEqual([5, 'ringmail: RING_LOCKED']);
  });
});
