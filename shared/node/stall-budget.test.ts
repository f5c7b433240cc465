import { describe, expect, test } from 'vitest';
import { StallBudget } from './stall-budget.ts';

function take(budget: StallBudget, count: number, ms: number): string[] {
  const modes = Array.from({ length: count }, () => {
    const { mode } = budget;
    budget.took(ms);
    return mode;
  });
  return [...new Set([...modes, budget.mode])];
}

/** Writes until the mode changes. */
function until(budget: StallBudget, mode: string, ms: number): number {
  for (let count = 0; count < 1_000_000; count++) {
    if (budget.mode === mode) return count;
    budget.took(ms);
  }
  return Number.POSITIVE_INFINITY;
}

describe('writing inline', () => {
  test('begins with the pool, and comes with fast writes', () => {
    const budget = new StallBudget();
    expect(budget.mode).toBe('async');
    expect(until(budget, 'inline', 0.4)).toBe(16);
    expect(take(budget, 1000, 0.4)).toEqual(['inline']);
  });

  test('is never tried where even the pool is hopeless', () => {
    expect(take(new StallBudget(), 10_000, 8)).toEqual(['async']);
  });

  test('survives a slow write in twenty, not two', () => {
    const budget = new StallBudget();
    until(budget, 'inline', 0.4);
    take(budget, 8, 0.4);
    for (let i = 0; i < 500; i++) expect(take(budget, 1, i % 22 === 0 ? 3 : 0.4)).toEqual(['inline']);
    for (let i = 0; i < 30; i++) take(budget, 1, i % 10 === 0 ? 3 : 0.4);
    expect(budget.mode).toBe('async');
  });

  test('ends at once with a write that stalls everybody', () => {
    const budget = new StallBudget();
    until(budget, 'inline', 0.4);
    take(budget, 8, 0.4);
    take(budget, 1, 25);
    expect(budget.mode).toBe('async');
  });

  test('is tried less and less often where it fails, and as often as ever once it worked', () => {
    const budget = new StallBudget();
    const pauses: number[] = [];
    for (let i = 0; i < 4; i++) {
      pauses.push(until(budget, 'inline', 2));
      take(budget, 1, 2);
    }
    expect(pauses).toEqual([16, 32, 64, 128]);
    until(budget, 'inline', 0.4);
    take(budget, 20, 0.4);
    take(budget, 1, 25);
    expect(until(budget, 'inline', 0.4)).toBe(32);
  });
});
