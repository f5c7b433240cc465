/**
 * In the small build in the place of usual-envelope.ts: nothing is usual, and every envelope is made the longer way, which gives the same
 * bytes.
 */
export class UsualForm {
  write(): undefined {}
}
