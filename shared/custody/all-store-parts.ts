/** Of a node among others. */
import { Hops } from './hops.ts';
import { NodeWords } from './node-words.ts';
import { Outgoing } from './outgoing.ts';
import { mendOutgoing } from './outgoing-damage.ts';
import { PassedOver } from './passed-over.ts';
import type { StoreParts } from './store-parts.ts';
import { StreamEnds } from './stream-ends.ts';

export const ALL_STORE_PARTS: StoreParts = { Outgoing, Hops, StreamEnds, PassedOver, NodeWords, mendOutgoing };
