/**
 * What a store keeps because there are other nodes: what goes to them, and by which way; what comes from them, holes and words. Who makes
 * a store gives it all of that (all-store-parts.ts), or, to a node that neither hands over nor takes, what stands in its place
 * (no-neighbours.ts).
 */
import type { Maker } from '../part.ts';
import type { Hops } from './hops.ts';
import type { NodeStore } from './node-store.ts';
import type { NodeWords } from './node-words.ts';
import type { Outgoing } from './outgoing.ts';
import type { PassedOver } from './passed-over.ts';
import type { StreamEnds } from './stream-ends.ts';

export interface StoreParts {
  readonly Outgoing: Maker<typeof Outgoing>;
  readonly Hops: Maker<typeof Hops>;
  readonly StreamEnds: Maker<typeof StreamEnds>;
  readonly PassedOver: Maker<typeof PassedOver>;
  readonly NodeWords: Maker<typeof NodeWords>;
  /** Once everything has its place: what damage, or a medium that lied, left of streams that leave here. */
  readonly mendOutgoing: (store: NodeStore) => void;
}
