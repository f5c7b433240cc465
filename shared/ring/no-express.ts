/** In the place of express.ts: nothing is in memory alone. */
import { InvariantViolation } from '../assert.ts';
import type { Like } from '../part.ts';
import type { Express } from './express.ts';

function never(): never {
  throw new InvariantViolation('nothing is in memory alone');
}

export class NoExpress implements Like<Express> {
  readonly bytes = 0;
  readonly hasArriving = false;
  readonly hasInstant = false;
  readonly check = never;
  readonly take = never;
  readonly plan = never;
  readonly addInstant = never;
  readonly settleArriving = never;
  readonly end = never;

  body(): undefined {}

  *ids(): Generator<never> {}

  split(): undefined {}

  settleInstant(): void {}

  forget(): void {}

  takeAll(): [] {
    return [];
  }
}
