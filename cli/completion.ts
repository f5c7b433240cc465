/** `ringmail completion`: what a shell needs to complete command lines, from the same tables as the help. */
import { type Command, type CommandTable, defineCommand, type OptionSpecs, oneOf } from './args.ts';
import { bashScript, fishScript, zshScript } from './completion-scripts.ts';
import { EXIT } from './exit-codes.ts';

/** One command of the tree: its words, and what may follow them. */
export interface Completable {
  readonly words: readonly string[];
  readonly summary: string;
  /** Names of the commands in it. */
  readonly tools: readonly { readonly name: string; readonly summary: string }[];
  readonly options: OptionSpecs;
}

const SHELLS = ['bash', 'zsh', 'fish'] as const;
const SCRIPT_BY_SHELL = { bash: bashScript, zsh: zshScript, fish: fishScript };

const HELP: OptionSpecs = { help: { type: 'boolean', short: 'h', help: 'what it takes' } };

/** Over the commands of a command line; itself is one of them. */
export function completionOf(commands: CommandTable): Command {
  return defineCommand(
    {
      name: 'completion',
      summary: 'print a script that completes command lines in bash, zsh or fish',
      operands: `<${SHELLS.join(' | ')}>`,
      operandCount: { min: 1, max: 1 },
      options: {},
      notes: [
        'bash: source <(ringmail completion bash). zsh: ringmail completion zsh > _ringmail, in a folder of fpath. fish: ringmail ' +
          'completion fish > ~/.config/fish/completions/ringmail.fish.',
      ],
    },
    async ({ operands: [shell = ''] }, world) => {
      const script = SCRIPT_BY_SHELL[oneOf('<shell>', shell, SHELLS)];
      await world.stdout(script(await treeOf(commands)));
      return EXIT.ok;
    },
  );
}

/** Every command that is in the help, groups before what is in them; the first has no words and is `ringmail` itself. */
export async function treeOf(commands: CommandTable): Promise<Completable[]> {
  const { all, tools } = await branches(commands, []);
  const version: OptionSpecs = { version: { type: 'boolean', short: 'V', help: 'the version of ringmail' } };
  return [{ words: [], summary: 'ringmail', tools, options: { ...HELP, ...version } }, ...all];
}

async function branches(
  commands: CommandTable,
  above: readonly string[],
): Promise<{ all: Completable[]; tools: Completable['tools'] }> {
  const all: Completable[] = [];
  const named: { name: string; summary: string }[] = [];
  for (const [name, load] of Object.entries(commands)) {
    const { summary, listed, options = {}, tools = {} } = await load();
    if (listed === 'no') continue;
    const words = [...above, name];
    const below = await branches(tools, words);
    named.push({ name, summary });
    all.push({ words, summary, tools: below.tools, options: { ...options, ...HELP } }, ...below.all);
  }
  return { all, tools: named };
}
