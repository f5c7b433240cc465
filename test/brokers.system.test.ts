/**
 * Goal: over brokers as they are, whatever happens to them, everything that was accepted arrives once, or the gateway says why nothing
 * moves. Method: a telling cell or two of each broker (`npm run brokers` plays them all), at once, since most of them mostly wait.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { play } from './brokers/cells.ts';
import { FAULTS } from './brokers/faults.ts';
import { brokerKinds } from './brokers/kinds.ts';

const KINDS = brokerKinds(join(import.meta.dirname, '..'));
const CELLS = [
  ['embedded', 'kill -9 after PUBACK', 'all arrives'],
  ['mosquitto', 'half-open connection', 'all arrives'],
  ['mosquitto-5', 'tiny packets', 'all arrives'],
  ['mosquitto-5', 'publish denied', 'red'],
  ['rabbitmq', 'session lost', 'all arrives'],
  ['nats', 'kill -9 after PUBACK', 'all arrives'],
] as const;

describe.concurrent('brokers as they are', () => {
  for (const [broker, fault, verdict] of CELLS) {
    test(`${broker}, ${fault}: ${verdict}`, async (context) => {
      const kind = KINDS.find(({ name }) => name === broker);
      const played = FAULTS.find(({ name }) => name === fault);
      if (kind === undefined || played === undefined) throw new Error('no such cell');
      const reason = kind.missing();
      context.skip(reason !== undefined, reason);
      const cell = await play(kind, played);
      expect(cell).toMatchObject({ broker, fault, verdict });
      if (verdict === 'red') expect(cell.detail).toContain('Not authorized');
    });
  }
});
