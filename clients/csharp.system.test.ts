/** The client in C# against a real node: with the .NET SDK where there is one, else with Mono. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ClientWorld, has, type Ran, readmeProgram } from './client-world.ts';

const SOURCES = ['Ringmail.cs', 'RingmailTest.cs'].map((name) => join(import.meta.dirname, 'csharp', name));
/** It need not run: that it compiles is enough. */
const README_SOURCE = `public static class Readme { public static async System.Threading.Tasks.Task Run() { ${readmeProgram('csharp')} } }`;
let world: ClientWorld | undefined;
afterEach(() => world?.end());

/** The major version of the newest SDK; undefined where there is none. */
function dotnetVersion(): string | undefined {
  const { status, stdout } = spawnSync('dotnet', ['--list-sdks'], { encoding: 'utf8' });
  return status === 0 ? /(\d+\.\d+)\.\d+ [^\n]*\n*$/.exec(stdout)?.[1] : undefined;
}

function projectFile(version: string): string {
  const properties = `<OutputType>Exe</OutputType><TargetFramework>net${version}</TargetFramework>`;
  return `<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup>${properties}</PropertyGroup></Project>\n`;
}

async function runWithDotnet(here: ClientWorld, version: string): Promise<Ran> {
  const project = join(here.folder, 'project');
  mkdirSync(project);
  for (const source of SOURCES) copyFileSync(source, join(project, source.slice(source.lastIndexOf('/') + 1)));
  writeFileSync(join(project, 'Readme.cs'), README_SOURCE);
  writeFileSync(join(project, 'test.csproj'), projectFile(version));
  return here.run('dotnet', ['run', '--project', project]);
}

async function runWithMono(here: ClientWorld): Promise<Ran> {
  const program = join(here.folder, 'test.exe');
  const readme = join(here.folder, 'Readme.cs');
  writeFileSync(readme, README_SOURCE);
  const compiled = await here.run('mcs', ['-warnaserror', `-out:${program}`, ...SOURCES, readme]);
  return existsSync(program) ? here.run('mono', [program]) : compiled;
}

test('every verb works from C#, with exact bodies and coded errors', async ({ skip }) => {
  const version = dotnetVersion();
  skip(
    version === undefined && !(has('mcs') && has('mono')),
    'there is neither dotnet nor mcs and mono (mono-mcs, mono-runtime)',
  );
  world = await ClientWorld.start();
  const { code, output } = version === undefined ? await runWithMono(world) : await runWithDotnet(world, version);
  expect(output).toMatch(/^OK$/m);
  expect(code).toBe(0);
  expect(world.unasked).toEqual([]);
});
