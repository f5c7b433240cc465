/** Every number that bounds something, with its unit and its reason. Relations between them are tested. */

/** Nesting a decoder follows before it refuses. Messages of people are flat; 16 is what the deepest of ours needs, twice. */
export const CBOR_DEPTH_MAX = 16;
/** Items in one CBOR value. Bounds time and memory of a decode, whatever its bytes claim. */
export const CBOR_ITEMS_MAX = 65_536;
/** Streams one node keeps state for (docs/custody.md, section 2). At the limit new streams get credit 0. */
export const STREAM_COUNT_MAX = 65_536;
/**
 * How long the delivery count of a message's first delivery may stay in memory. Most applications acknowledge sooner, and then it is
 * never written; one that takes longer pays a second write for a message that it works on for a while anyway.
 */
export const COUNT_DELAY_MS = 250;
/** Messages made ready, or ended as expired, in one step: a backlog that is due at once must not hold up who sends. */
export const DUE_COUNT_PER_STEP = 512;
/** Receives and peeks that wait at once, over all queues. Bounds memory, not use: each client needs one. Beyond it BUSY. */
export const WAITING_COUNT_MAX = 10_000;
/** Messages that a search for a correlation id looks at in one step: about 10 µs each where they are in memory. */
export const SEARCH_COUNT_PER_STEP = 256;
/** Messages whose correlation id is remembered while somebody searches: 600 bytes each at most, and none is read twice. */
export const CORRELATION_COUNT_MAX = 4096;
/** Messages of one queue that became ready and that a search has not looked at. Beyond it the search begins anew. */
export const FRESH_COUNT_MAX = 65_536;
/** Poisoned messages whose letter is being made, over all queues. Beyond it a queue with another one at its head waits. */
export const POISON_COUNT_MAX = 1024;
/** Until a letter is tried again that found no room. Doubled each time in vain; its message is in nobody's hands meanwhile. */
export const POISON_RETRY_MS_MIN = 1_000;
export const POISON_RETRY_MS_MAX = 60_000;
/** Ends of messages that wait for their body and are asked for in one step: more than the ring reads at once. */
export const ENDING_COUNT_PER_STEP = 64;
/** Bodies of expired messages read at once. More than one, so that a slow medium is busy; few, so that receivers get theirs. */
export const EXPIRED_READ_COUNT = 8;
/** Senders that wait for room at once, over all queues. Beyond it BUSY. */
export const BLOCKED_COUNT_MAX = 1024;
/** Bytes of what they wait with. As much as may wait for the disk. */
export const BLOCKED_BYTES_MAX = 4 * 1024 * 1024;
/**
 * Wait for room where neither the call nor the configuration says one, and the most that the configuration may say. A client of the
 * local API that does not know of it waits longer for any answer; who wants to wait longer says so in the call.
 */
export const BLOCK_MS_MAX = 30_000;
/** Headers of one message. Bounds what every decoder and every page has to hold. */
export const HEADER_COUNT_MAX = 64;

/** Bytes of a publish that carries custody, unless one message needs more. Keeps a broker's queues fair and a resend cheap. */
export const BATCH_BYTES_MAX = 64 * 1024;
/** Items in one publish. The smallest take about 60 bytes: beyond this a batch is full anyway. */
export const BATCH_ITEM_COUNT_MAX = 1024;
/** Bytes of a publish taken in. Above the largest message of a large ring (192 KiB of body); what is larger is not ours. */
export const PUBLISH_BYTES_MAX = 512 * 1024;
/** Publishes beyond the last receipt (docs/mqtt.md): what a broker may have to hold for one sender. */
export const WINDOW_PUBLISH_COUNT_MAX = 256;
/** Bytes of those publishes. */
export const WINDOW_BYTES_MAX = 1024 * 1024;
/** A published item without a receipt may stand still this long before the session is made anew; doubled each time in vain. */
export const PROGRESS_MS_MIN = 10_000;
export const PROGRESS_MS_MAX = 300_000;
/** A sync without an answer is sent again after this; doubled each time. Above the round trip of a slow mobile network. */
export const SYNC_MS_MIN = 2_000;
export const SYNC_MS_MAX = 60_000;
/** Between two syncs, whatever asks for one: a broker that loses one publish in ten must not be answered by nothing but syncs. */
export const SYNC_SPACING_MS = 200;
/** Streams one sync or one receipt speaks of: at most 64 KiB with the longest names. Others are spoken of as they move. */
export const SYNC_STREAM_COUNT_MAX = 256;
/** Senders one receiver keeps a session with. Each takes about 1 KiB and 100 bytes a stream that moves. */
export const RELAY_PEER_COUNT_MAX = 4096;
