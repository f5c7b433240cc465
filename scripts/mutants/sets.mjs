/** The sets of planted bugs, test/mutants/<area>.mjs, and what noticed each of them the last time, test/mutants/noticed.json. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../bundle-module.mjs';

const AREAS = join(ROOT, 'test', 'mutants');
const NOTICED = join(AREAS, 'noticed.json');
/** Stands for the yard among the test files. */
export const YARD = 'the yard';

/**
 * @typedef {{ file: string, find: string, replace: string }} Edit
 * @typedef {{ test: string, title?: string } | { seed: string, seeds: number }} Noticed by a test, or by a seed of the yard, the
 *   how-manieth it was
 * @typedef {{ area: string, name: string, breaks: string, edits: Edit[], tests?: string[], sim?: { seeds: number }, noticed?: Noticed }} Mutant
 */

export function areaNames() {
  return readdirSync(AREAS)
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => basename(name, '.mjs'))
    .sort();
}

/** @param {string[]} areas @returns {Promise<(Mutant & { at: number })[]>} `at`: its place in its set */
export async function readMutants(areas) {
  const noticed = readNoticed();
  const all = [];
  for (const area of areas) {
    const { MUTANTS } = await import(pathToFileURL(join(AREAS, `${area}.mjs`)).href);
    for (const [at, mutant] of MUTANTS.entries()) all.push({ area, at, ...mutant, noticed: noticed[mutant.name] });
  }
  const twice = all.find(({ name }, i) => all.findIndex((other) => other.name === name) !== i);
  if (twice !== undefined) throw new Error(`two bugs are called ${twice.name}`);
  return all;
}

/** Test files, and the yard, in the order in which they are asked. @param {Mutant} mutant */
export function noticersOf({ tests = [], sim }) {
  return sim === undefined ? tests : [...tests, YARD];
}

/** What of a mutant does not apply: its text must stand in the file exactly once. @param {Mutant} mutant */
export function misfits({ name, edits }) {
  const wrong = [];
  for (const { file, find } of edits) {
    const path = join(ROOT, file);
    const count = existsSync(path) ? readFileSync(path, 'utf8').split(find).length - 1 : -1;
    if (count !== 1)
      wrong.push(`${name} does not apply: ${count < 0 ? `no file ${file}` : `${count} times in ${file}: ${find.trim()}`}`);
  }
  return wrong;
}

function readNoticed() {
  return existsSync(NOTICED) ? JSON.parse(readFileSync(NOTICED, 'utf8')) : {};
}

/** Keeps what noticed these, beside what is known of others that still exist. @param {Map<string, Noticed>} news @param {string[]} names */
export function keepNoticed(news, names) {
  const all = { ...readNoticed(), ...Object.fromEntries(news) };
  const known = Object.keys(all)
    .filter((name) => names.includes(name))
    .sort();
  writeFileSync(NOTICED, `${JSON.stringify(Object.fromEntries(known.map((name) => [name, all[name]])), undefined, 2)}\n`);
}
