/** Inputs that once broke a target: they are tried first, and by `npm test`. */
export interface Regression {
  readonly target: string;
  readonly hex: string;
  readonly found: string;
}

export const REGRESSIONS: readonly Regression[] = [];
