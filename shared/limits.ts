/** Every number that bounds something, with its unit and its reason. Relations between them are tested. */

/** Nesting a decoder follows before it refuses. Messages of people are flat; 16 is what the deepest of ours needs, twice. */
export const CBOR_DEPTH_MAX = 16;
/** Items in one CBOR value. Bounds time and memory of a decode, whatever its bytes claim. */
export const CBOR_ITEMS_MAX = 65_536;
/** Streams one node keeps state for (CUSTODY §2). At the limit new streams get credit 0 and health is red. */
export const STREAM_COUNT_MAX = 65_536;
/** Loss classes by node and stream that are kept apart before ranges merge. */
export const HEADER_COUNT_MAX = 64;
