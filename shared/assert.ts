/** A bug in ringmail itself. Never caught; the process restarts and the ring file recovers. */
export class InvariantViolation extends Error {}

/** States what must be true here. @throws InvariantViolation when it is not: the code is wrong, not the world. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message);
}

/** Closes a switch over a union: adding a member turns every unhandled switch red. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unreachable: ${String(value)}`);
}
