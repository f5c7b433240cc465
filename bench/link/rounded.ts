/** A row with its numbers rounded, to so many digits behind the point by name, and nothing undefined in it. */
export function rounded<R extends object>(row: R, digits: Readonly<Record<string, number>>, otherwise: number): R {
  const entries = Object.entries(row).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [[name, typeof value === 'number' ? Number(value.toFixed(digits[name] ?? otherwise)) : value]];
  });
  return Object.fromEntries(entries) as R;
}
