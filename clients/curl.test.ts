/** What curl.md says is what happens. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CliFixture } from '../cli/cli-fixture.ts';
import { examplesOf, shell, shownAs } from '../cli/doc-examples.ts';
import { has } from './client-world.ts';

const PAGE = readFileSync(new URL('curl.md', import.meta.url), 'utf8');

let cli: CliFixture;
beforeEach(async () => {
  cli = new CliFixture();
  await cli.serve();
});
afterEach(() => cli.end());

test('its examples print what they say, one after the other', async ({ skip }) => {
  for (const program of ['curl', 'bash']) skip(!has(program), `there is no ${program}`);
  const examples = examplesOf(PAGE);
  expect(examples.length).toBeGreaterThan(25);
  // What defines a function holds for what follows, as in a shell that is typed into.
  const functions = examples.map(({ command }) => command).filter((command) => /^\w+\(\) \{/.test(command));
  for (const { command, output } of examples) {
    const printed = await shell('bash', ['-c', [...functions, `{ ${command}`, '} 2> /dev/null'].join('\n')], cli.folder);
    expect({ command, output: shownAs(printed, output) }).toEqual({ command, output });
  }
});
