import { expect, test } from 'vitest';
import { HEADER_COUNT_MAX } from '../../limits.ts';
import { TEXT_LENGTH_MAX } from '../../message/message.ts';
import { bodyBytesMaxOf, geometryFor } from '../../ring/geometry.ts';
import * as limits from './api-limits.ts';

test('the limits of the local API agree with one another and with what they bound', () => {
  const { API_TIMING: timing } = limits;
  expect(limits.BODY_BYTES_MAX).toBeGreaterThan(bodyBytesMaxOf(geometryFor(1024 * 1024 * 1024)));
  expect(limits.BODY_POOL_BYTES_MAX).toBeGreaterThan(64 * limits.BODY_BYTES_MAX);
  // Every header of a message in ASCII: `header:`, name, `=`, value, `&`.
  expect(limits.HEAD_BYTES_MAX).toBeGreaterThan(HEADER_COUNT_MAX * (2 * TEXT_LENGTH_MAX + 9));
  // The least a client takes for an answer's head, Node's among them: four texts at three percent-encoded bytes each, and the headers.
  expect(16 * 1024).toBeGreaterThan(4 * TEXT_LENGTH_MAX * 9 + limits.RAW_HEADERS_BYTES_MAX + 1024);
  expect(timing.idleMs).toBeGreaterThan(limits.CLIENT_IDLE_MS_MAX);
  expect(timing.requestMs).toBeGreaterThan(timing.headMs);
  expect(timing.headMs).toBeGreaterThan(timing.checkMs);
});
