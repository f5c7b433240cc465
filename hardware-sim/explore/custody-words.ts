/** What nodes of custody say to each other, whatever carries it. */
import type { Answer, Item, Offer } from '../../shared/custody/session.ts';
import type { StreamKey } from '../../shared/message/identity.ts';

/** `to` is a name: whoever bears it may hear it. */
export type Word =
  | { readonly kind: 'offer'; readonly to: string; readonly offer: Offer }
  | { readonly kind: 'answer'; readonly to: string; readonly answer: Answer }
  | { readonly kind: 'item'; readonly to: string; readonly nonce: Uint8Array; readonly stream: StreamKey; readonly item: Item }
  | {
      readonly kind: 'cursor';
      readonly to: string;
      readonly nonce: Uint8Array;
      readonly stream: StreamKey;
      readonly cursor: number;
    };

/** For people. */
export function describeWord(word: Word): string {
  switch (word.kind) {
    case 'offer':
      return `offer to ${word.to}: ${word.offer.streams.map(({ lo, next }) => `[${lo}, ${next})`).join(' ')}`;
    case 'answer':
      return `${word.answer.kind} to ${word.to}: ${word.answer.cursors.map(({ cursor }) => cursor).join(' ')}`;
    case 'item':
      return `${word.item.kind} ${word.item.number} to ${word.to}`;
    case 'cursor':
      return `cursor ${word.cursor} to ${word.to}`;
  }
}
