import 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** How much of a sweep is done that goes beyond what a change needs to be told at once: `part` in `npm test`, `whole` in the system tests. */
    readonly sweep: 'part' | 'whole';
  }
}
