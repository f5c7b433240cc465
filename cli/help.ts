/** What `--help` prints. */
import type { Command, CommandSpec, OptionSpec, OptionSpecs } from './args.ts';

/** As wide as the terminal that everything has. */
const WIDTH = 80;

/** The list of commands. */
export function generalHelp(commands: readonly Pick<Command, 'name' | 'summary'>[]): string {
  const rows = commands.map(({ name, summary }): [string, string] => [name, summary]);
  return [
    'ringmail: a durable message queue for the edge',
    '',
    'Usage: ringmail <command> [options]',
    '',
    ...columns(rows),
    '',
    ...columns([
      ['<command> --help', 'what a command takes'],
      ['--version', 'the version of ringmail'],
    ]),
    '',
    'Exit codes: 0 done, 1 nothing to receive, 2 wrong command line or configuration,',
    '3 refused, 4 no node, 5 not now, 6 done or not is unknown, 7 output closed,',
    '8 damage found, 9 not a ring, 70 a bug, 130 interrupted.',
    '',
  ].join('\n');
}

export function commandHelp(spec: CommandSpec<OptionSpecs>): string {
  const rows = Object.entries(spec.options).map(([name, option]): [string, string] => [optionHead(name, option), option.help]);
  return [
    ...wrap(`ringmail ${spec.name}: ${spec.summary}`, WIDTH),
    '',
    `Usage: ringmail ${spec.name} ${spec.operands === '' ? '' : `${spec.operands} `}[options]`,
    '',
    ...columns([...rows, ['-h, --help', 'this text']]),
    ...spec.notes.flatMap((note) => ['', ...wrap(note, WIDTH)]),
    '',
  ].join('\n');
}

/** A command that is a group of commands. */
export function groupHelp(group: {
  readonly name: string;
  readonly summary: string;
  readonly notes: readonly string[];
  readonly tools: readonly Pick<Command, 'name' | 'summary'>[];
}): string {
  const { name, summary, notes, tools } = group;
  return [
    ...wrap(`ringmail ${name}: ${summary}`, WIDTH),
    '',
    `Usage: ringmail ${name} <command> [options]`,
    '',
    ...columns(tools.map((tool): [string, string] => [tool.name, tool.summary])),
    ...notes.flatMap((note) => ['', ...wrap(note, WIDTH)]),
    '',
    `ringmail ${name} <command> --help tells what each takes.`,
    '',
  ].join('\n');
}

function optionHead(name: string, { short, value }: OptionSpec): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`;
}

function columns(rows: readonly [string, string][]): string[] {
  const width = Math.max(...rows.map(([head]) => head.length)) + 2;
  return rows.flatMap(([head, text]) =>
    wrap(text, WIDTH - width - 2).map((line, i) => `  ${(i === 0 ? head : '').padEnd(width)}${line}`),
  );
}

/** Lines of at most `width` characters; a longer word has one of its own. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
