/**
 * Bodies that say when they were sent, by a clock that all processes of the machine share.
 *
 *   off len  field
 *     0   8  when it was sent, in ns of the monotonic clock; 0: nobody asks
 *     8   …  zeros
 */
const STAMP_BYTES = 8;

export function stampedBody(bytes: number): Uint8Array {
  const body = Buffer.alloc(bytes);
  body.writeBigUInt64LE(process.hrtime.bigint());
  return new Uint8Array(body.buffer, body.byteOffset, bytes);
}

/** Undefined for one without a stamp. */
export function delayMsOf(body: Uint8Array): number | undefined {
  if (body.length < STAMP_BYTES) return undefined;
  const sentNs = Buffer.from(body.buffer, body.byteOffset, STAMP_BYTES).readBigUInt64LE();
  return sentNs === 0n ? undefined : Number(process.hrtime.bigint() - sentNs) / 1e6;
}

/** Calls `send` so often a second, evenly, and as often as it missed when it comes late. Returns what ends it. */
export function atRate(perSecond: number, send: () => void): () => void {
  if (perSecond === 0) return () => {};
  const startedMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - startedMs) * perSecond) / 1000;
    for (; sent < due; sent++) send();
  }, TICK_MS);
  return () => clearInterval(timer);
}

const TICK_MS = 2;

const NUMBERED_BYTES = 128;

/** A body that says which one it is. */
export function numberedBody(number: number): Uint8Array {
  const body = Buffer.alloc(NUMBERED_BYTES);
  body.writeUInt32LE(number, STAMP_BYTES);
  return new Uint8Array(body.buffer, body.byteOffset, NUMBERED_BYTES);
}

export function numberOf(body: Uint8Array): number {
  return Buffer.from(body.buffer, body.byteOffset, body.length).readUInt32LE(STAMP_BYTES);
}
