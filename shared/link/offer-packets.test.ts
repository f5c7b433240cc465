/** What a HELLO says of the streams it lists: all that begin at its sender, or maybe not. */
import { beforeEach, describe, expect, test } from 'vitest';
import { LinkWorld } from '../../hardware-sim/link-world.ts';
import { NO_TICKET, type Offer, type OfferedStream } from '../custody/session.ts';
import { lineProfile } from './line-profile.ts';
import { helloOf, limitsOf, offerOf } from './offer-packets.ts';
import { HELLO_WHOLE } from './packet-layout.ts';
import { decodePacket, encodePacket } from './packets.ts';
import type { Tlv } from './tlv.ts';

const INCARNATION = 'a1a2a3a4a5a6a7a8';
const LIMITS = limitsOf(lineProfile(115_200));
const own = (at: number): OfferedStream => ({
  stream: { origin: 'belt-1', incarnation: INCARNATION, destination: `central/q${at}`, priority: 3 },
  lo: 1,
  next: 5,
});
const foreign: OfferedStream = {
  stream: { origin: 'belt-2', incarnation: 'ffffffffffffffff', destination: 'central/bags', priority: 3 },
  lo: 2,
  next: 2,
};
const older: OfferedStream = { ...own(9), stream: { ...own(9).stream, incarnation: 'eeeeeeeeeeeeeeee' } };

function offer(streams: readonly OfferedStream[], what: Offer['own'] = 'whole'): Offer {
  const nonce = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const epoch = { counter: 7, random: 1 };
  return { sender: 'belt-1', incarnation: INCARNATION, epoch, nonce, ticket: NO_TICKET, ticketNonce: nonce, streams, own: what };
}

function tlvOf({ stream: key, lo, next }: OfferedStream, handle: number): Tlv {
  const isOwn = key.origin === 'belt-1' && key.incarnation === INCARNATION;
  const origin = { node: key.origin, incarnation: key.incarnation };
  const { destination: address, priority } = key;
  return { kind: 'stream', handle, priority, lo, next, address, ...(!isOwn && { origin }) };
}

/** As it comes out at the other end of a line, with these streams listed. */
function heard(said: Offer, listed: readonly OfferedStream[]): { flags: number; offer: Offer } | undefined {
  const packet = decodePacket(encodePacket(helloOf(said, LIMITS, listed.map(tlvOf)), 0), undefined);
  return packet?.kind === 'hello' ? { flags: packet.flags, offer: offerOf(packet) } : undefined;
}

describe('a HELLO', () => {
  test.each<[string, readonly OfferedStream[]]>([
    ['with all of ours', [own(1), own(2)]],
    ['with all of ours, and one that we forward', [own(1), own(2), foreign]],
    ['with all of ours in another order', [own(2), own(1), older]],
  ])('%s says so, and is heard so', (_name, listed) => {
    const said = offer([own(1), own(2), foreign, older]);
    expect(heard(said, listed)).toEqual({ flags: HELLO_WHOLE, offer: { ...said, streams: listed } });
  });

  test.each<[string, readonly OfferedStream[]]>([
    ['without one of ours', [own(1)]],
    ['with one that we forward in its place', [own(1), foreign]],
    ['with one of an older incarnation in its place', [own(1), older]],
    ['without any', []],
  ])('%s does not', (_name, listed) => {
    const said = offer([own(1), own(2), foreign, older]);
    expect(heard(said, listed)).toEqual({ flags: 0, offer: { ...said, own: 'in-part', streams: listed } });
  });

  test('of an offer that is not whole does not, whatever it lists', () => {
    expect(heard(offer([own(1)], 'in-part'), [own(1)])).toMatchObject({ flags: 0, offer: { own: 'in-part' } });
  });

  test('of a sender without any streams says so', () => {
    expect(heard(offer([]), [])).toMatchObject({ flags: HELLO_WHOLE, offer: { own: 'whole' } });
  });
});

describe('the HELLO of a node', () => {
  let lines: LinkWorld;
  beforeEach(() => {
    lines = new LinkWorld({ seed: 'whole', baud: undefined, queues: [{ name: 'bags', bytesLimit: 100_000 }] });
    lines.start();
    lines.run(100);
  });

  /** One message in each of so many streams; then the first HELLO of a new line. */
  function helloWith(streamCount: number): { isWhole: boolean; listed: number } {
    for (let at = 0; at < streamCount; at++) lines.device.send(`gateway/q${at}`, Uint8Array.of(1));
    lines.run(1_000);
    const before = lines.tap.of('hello', 'device').length;
    lines.connect();
    lines.run(1_000);
    const packet = lines.tap.of('hello', 'device')[before]?.packet;
    return { isWhole: ((packet?.flags ?? 0) & HELLO_WHOLE) !== 0, listed: packet?.tlvs.length ?? 0 };
  }

  test('lists all streams that begin here as long as they fit, and says so', () => {
    expect(helloWith(20)).toEqual({ isWhole: true, listed: 20 });
  });

  test('lists them when they hold nothing any more, too', () => {
    helloWith(20);
    lines.run(5_000);
    expect(lines.device.outgoingCount).toBe(0);
    expect(helloWith(0)).toEqual({ isWhole: true, listed: 20 });
  });

  test('says that it does not when they do not fit', () => {
    const { isWhole, listed } = helloWith(200);
    expect(isWhole).toBe(false);
    expect(listed).toBeGreaterThan(20);
    expect(listed).toBeLessThan(200);
  });
});
