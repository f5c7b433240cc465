/**
 * A class that is given to who makes it, so that another one can stand in its place: the small profile (core/embedded.ts) gives those that
 * do without, and what they do without is not part of it.
 */

/** Anything with the public members of a class, which is `keyof` of it. */
export type Like<T> = Pick<T, keyof T>;

/** Makes one of these from what the class is made from. */
export type Maker<T extends new (...parts: never[]) => unknown> = new (
  ...parts: ConstructorParameters<T>
) => Like<InstanceType<T>>;
