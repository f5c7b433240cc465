/**
 * Private fields of the core, for the exploration alone: it must see all of a state to say that two are one, and spoils a core from
 * within to see whether it notices. Its bundle (scripts/explore/bundle.mjs) makes `#name` an ordinary field of this name.
 */
import { invariant } from '../../shared/assert.ts';

export function hiddenName(name: string): string {
  return `hidden_${name}`;
}

/** The value of the private field `#name`. Reading it from a core that was not bundled for the exploration is a bug. */
export function hidden<T>(object: object, name: string): T {
  const key = hiddenName(name);
  invariant(key in object, `the exploration's bundle shows #${name}`);
  return (object as Record<string, T>)[key] as T;
}

export function setHidden(object: object, name: string, value: unknown): void {
  hidden(object, name);
  (object as Record<string, unknown>)[hiddenName(name)] = value;
}
