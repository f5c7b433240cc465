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
/** Messages given up whose letter is being made, over all queues. Beyond it a queue with a poisoned one at its head waits. */
export const GIVEN_UP_COUNT_MAX = 1024;
/** Until a letter is tried again that found no room. Doubled each time in vain; its message is in nobody's hands meanwhile. */
export const LETTER_RETRY_MS_MIN = 1_000;
export const LETTER_RETRY_MS_MAX = 60_000;
/** Ends of messages that wait for their body and are asked for in one step: more than the ring reads at once. */
export const ENDING_COUNT_PER_STEP = 64;
/** Bodies of expired messages read at once. More than one, so that a slow medium is busy; few, so that receivers get theirs. */
export const EXPIRED_READ_COUNT = 8;
/** Holes of one stream at its destination (docs/routes.md, section 2). What would open one more waits. About 20 bytes of META each. */
export const HOLE_COUNT_MAX = 64;
/** Holes given up that are remembered for one stream. Who comes late for an older one is a counted repeat. As much META. */
export const CLOSED_HOLE_COUNT_MAX = 64;
/** Ranges of numbers in one loss account: up to 300 bytes of META. Beyond it the two nearest become one. */
export const LOSS_RANGE_COUNT_MAX = 16;
/** Ranges of all accounts that the drops for one message move: a kilobyte or two of its frame. */
export const LOSS_RANGE_BATCH_MAX = 64;
/** Ranges that a node in the middle remembers of a stream as elsewhere. Beyond it the two that are nearest become one. */
export const PASSED_RANGE_COUNT_MAX = 64;
/** How long a hole is waited for where the configuration does not say. A device that fails over is back at the other gateway sooner. */
export const HOLE_WAIT_MS = 60_000;
/** Ways up of one node. Each is a session, and a base for each stream. */
export const UPLINK_COUNT_MAX = 8;
/** Patterns that say where one of them leads. */
export const UPLINK_TO_COUNT_MAX = 64;
/** Longest wait before another uplink is taken, and before a better one is taken back: a day. */
export const UPLINK_PATIENCE_MS_MAX = 86_400_000;
/** Nodes a message may pass. Who meets one that passed so many ends it: it goes in circles. */
export const HOP_COUNT_MAX = 15;
/** Senders that wait for room at once, over all queues. Beyond it BUSY. */
export const BLOCKED_COUNT_MAX = 1024;
/** Bytes of what they wait with. As much as may wait for the disk. */
export const BLOCKED_BYTES_MAX = 4 * 1024 * 1024;
/**
 * Wait for room where neither the call nor the configuration says one, and the most that the configuration may say. A client of the
 * local API that does not know of it waits longer for any answer; who wants to wait longer says so in the call.
 */
export const BLOCK_MS_MAX = 30_000;
/** Queues of one node, system queues counted. Each takes about a kilobyte of memory and 100 bytes of META. */
export const QUEUE_COUNT_MAX = 4096;
/** Of a queue, for people. MSMQ's. */
export const QUEUE_LABEL_LENGTH_MAX = 124;
/** Longest wait between two deliveries of a message that comes back: 30 days. */
export const RETRY_MS_MAX = 30 * 86_400_000;
/** By which each wait may grow over the one before. */
export const RETRY_FACTOR_MAX = 100;
/** Messages of queues that are purged or deleted whose end waits for the disk. Small enough that nobody waits long behind them. */
export const CLEARING_COUNT_MAX = 256;
/** Bodies that are asked for ahead while a queue is purged or deleted. */
export const CLEARING_AHEAD_MAX = 16;
/** Handles open at once. One takes about 200 bytes. */
export const HANDLE_COUNT_MAX = 4096;
/** A handle that is not used for so long is closed, where nobody says how long. */
export const HANDLE_IDLE_MS = 30_000;
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

/** Steps of one transaction. What a frame holds bounds the bytes; this bounds the work of one step of the node. */
export const COMMIT_STEP_COUNT_MAX = 1024;
/** Transactions that wait for bodies to be read: those whose letters are not in memory any more. Beyond it BUSY. */
export const COMMIT_WAITING_COUNT_MAX = 256;
/** Bytes of what they would send. As much as may wait for the disk. */
export const COMMIT_WAITING_BYTES_MAX = 4 * 1024 * 1024;
/** Places that programs have the node remember for them (`position`); about 64 bytes of the ring each. A new one beyond is BUSY. */
export const POSITION_COUNT_MAX = 1024;
/** Characters of the name of such a place. Its META key stays well within 255 bytes. */
export const POSITION_NAME_LENGTH_MAX = 128;
/** Bytes of its value: it tells a place, and is no place to keep things. */
export const POSITION_BYTES_MAX = 1024;
/** Characters of a `sendKey`: a UUID and a prefix, and the META of a destination's keys stays below 32 KiB. */
export const SEND_KEY_LENGTH_MAX = 64;
/** Keys remembered for each destination: at ten sends a second, those of the last half minute. */
export const SEND_KEY_COUNT_MAX = 256;
/** Destinations whose keys are remembered, up to 32 KiB of the ring each. A key for another one is BUSY. */
export const SEND_KEY_DESTINATION_COUNT_MAX = 64;
/** Producers whose last number is remembered, for ever: about 64 bytes of the ring each. Another one is BUSY. */
export const PRODUCER_COUNT_MAX = 1024;
/** Of a producer's last answer: stretches of consecutive numbers, 9 bytes each at the most usual. What has more is answered `done` later. */
export const ANSWER_STRETCH_COUNT_MAX = 32;
/** Requests that wait for one that was made before and is on its way to the disk. Beyond it BUSY: a client needs one or two. */
export const REPEAT_WAITING_COUNT_MAX = 64;
/** Bytes of express messages in memory, with 64 for each. As much as may wait for the disk: they are for what is worthless in a minute. */
export const EXPRESS_BYTES_MAX = 4 * 1024 * 1024;
/** Questions to other nodes that wait for answers. Beyond it BUSY. */
export const PROBE_COUNT_MAX = 64;
/** Answers that one question waits for at the most: a way has 15 nodes. */
export const PROBE_ANSWER_COUNT_MAX = 32;
/** Bytes of what a node says of itself after a reconnect, as it is said and as it is kept. */
export const DIGEST_BYTES_MAX = 4096;
/** Streams of one digest, and accounts of it. */
export const DIGEST_STREAM_COUNT_MAX = 64;
/** Nodes of which a digest is kept. */
export const DIGEST_NODE_COUNT_MAX = 4096;
/** Between two digests of a node, whose line may come and go all the time. */
export const DIGEST_EVERY_MS = 10_000;
/** Streams of one answer about a node: about 100 KiB where each of them lost something. */
export const LEDGER_STREAM_COUNT_MAX = 1024;
/** Turns that live streams of a priority get in a row while a backlog of the same priority waits: it has one in four. */
export const LIVE_IN_ROW_MAX = 3;
/** Streams of this priority and above may cut a packet of a lower one short, and do not wait for the cap of a metered uplink. */
export const URGENT_PRIORITY_MIN = 6;
/** Bytes that a metered uplink sends at once after a quiet time, unless said: about ten packets of a link, or one small publish. */
export const METER_BURST_BYTES = 8 * 1024;
/** How long a lazy uplink stays connected though nothing waits and nothing comes: above an answer over a slow network. */
export const LAZY_IDLE_MS = 10_000;
export const LAZY_IDLE_MS_MIN = 1_000;
export const LAZY_IDLE_MS_MAX = 3_600_000;
/** How long it is apart at the most, unless said: what waits at the central is that much later. */
export const LAZY_CHECK_MS = 3_600_000;
export const LAZY_CHECK_MS_MIN = 10_000;
/** A week. */
export const LAZY_CHECK_MS_MAX = 604_800_000;
/** Bytes of the body of a word between nodes (docs/routes.md, section 4). What has more to say says it in several. */
export const NODE_WORD_BYTES_MAX = 16 * 1024;
/** Nodes that found no place among those below, and are remembered so that they get one: as many as a gateway may have. In memory. */
export const TURNED_AWAY_COUNT_MAX = 1024;
/** Nodes that a gateway remembers as being below it: about 50 bytes of the ring each. At the limit nobody new is sent to. */
export const BELOW_COUNT_MAX = 1024;
/** The same for a central, where the directory is whole. */
export const BELOW_COUNT_CENTRAL_MAX = 65_536;
/** Neighbours of one way whose tickets are kept for when it leads to them again: about 60 bytes of the ring each. */
export const KEPT_TICKET_COUNT_MAX = 16;

/** Routes of one node. Each is remembered in the ring, up to 4 KiB of META; each message is held against them one after the other. */
export const ROUTE_COUNT_MAX = 64;
/** Places that one message may be forwarded to, chains of routes within the node included. */
export const DESTINATION_COUNT_MAX = 16;
/**
 * Bytes of a body from which on several destinations share it. Sharing costs an entry of 64 bytes and 8 bytes for each of them: below this
 * two copies are hardly larger, and each is read in one piece.
 */
export const SHARED_BODY_BYTES_MIN = 256;
/** Publishes to plain topics without a PUBACK: as many as the broker port has out at once. */
export const TOPIC_WINDOW_COUNT_MAX = 64;
/** Until something is published again after the broker refused a publish; doubled each time in vain. */
/** How often a connection must be lost over the same item to suspect it. */
export const TRIAL_LOST_COUNT = 3;
/** How often it must be lost alone to be refused. */
export const TRIAL_ALONE_COUNT = 3;
/** Items that are refused before anything passes; more are not, since then it is not the items. */
export const TRIAL_REFUSED_COUNT = 3;
/** Parties that are remembered for each connection; others are never suspected. */
export const TRIAL_PARTY_COUNT_MAX = RELAY_PEER_COUNT_MAX;
/** How long others wait for one that is on trial, and whose item is neither taken nor lost. */
export const TRIAL_TURN_MS = 30_000;
/** Receipts after which batches may be twice as large again. */
export const TRIAL_GROW_COUNT = 64;
export const TOPIC_RETRY_MS_MIN = 1_000;
export const TOPIC_RETRY_MS_MAX = 300_000;

/** Connections of an MQTT ingress, unless configured, and at most: each may hold a packet, a read and what is in flight. */
export const INGRESS_CLIENT_COUNT = 100;
export const INGRESS_CLIENT_COUNT_MAX = 1024;
/** Bytes of one packet there, unless configured: above the largest message of a large ring. PUBLISH_BYTES_MAX at most. */
export const INGRESS_PACKET_BYTES = 256 * 1024;
/** Bytes of one client's unanswered publishes, unless configured: what a disk takes in a few frames. Beyond it nothing more is read. */
export const INGRESS_IN_FLIGHT_BYTES = 256 * 1024;
/** Of all its clients together. What would exceed it is refused. */
export const INGRESS_HELD_BYTES_MAX = 16 * 1024 * 1024;
/** How long a publish may wait for room, or for the disk, before its connection ends. Below what clients give a keepalive (60 s). */
export const INGRESS_HOLD_MS = 10_000;
export const INGRESS_HOLD_MS_MIN = 100;
export const INGRESS_HOLD_MS_MAX = 60_000;
/** Between two looks whether there is room again. */
export const INGRESS_RETRY_MS = 100;
/** Rules are looked at one after the other, for each publish. */
export const INGRESS_RULE_COUNT_MAX = 256;
/** Packet ids of QoS 2 that one client may have between PUBREC and PUBREL: they fit the value of a position. */
export const INGRESS_PACKET_ID_COUNT_MAX = 500;
/** Before CONNECT a connection is worth nothing. */
export const INGRESS_CONNECT_MS_MAX = 10_000;
/** Names in its file of passwords. */
export const INGRESS_NAME_COUNT_MAX = 10_000;

/** Nesting of a JSON body that is shown as a value. Parsers of other languages recurse, and give up early. */
export const JSON_DEPTH_MAX = 64;
