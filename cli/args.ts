/** Command lines, read once and in one way: a command says which options it takes, and its help and its parsing follow from that. */
import { parseArgs } from 'node:util';
import { RingmailError } from '../shared/errors.ts';
import { commandHelp } from './help.ts';
import type { World } from './world.ts';

/** One word behind `ringmail`. */
export interface Command {
  readonly name: string;
  /** A few words, for the list of commands. */
  readonly summary: string;
  /** `no`: part of another command, a process of its own; not for people, so not in the help. */
  readonly listed?: 'no';
  /** What it takes, for who completes command lines. */
  readonly options?: OptionSpecs;
  /** Its commands, where it is a group of them. */
  readonly tools?: CommandTable;
  /** Resolves with the exit code. @throws RingmailError, USAGE_INVALID when `argv` is not understood */
  run(argv: readonly string[], world: World): Promise<number>;
}

/** Commands by name, each loaded when it is called: `send` does not wait for an MQTT client it does not use. */
export type CommandTable = Readonly<Record<string, () => Promise<Command>>>;

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** May be given more than once. */
  readonly multiple?: true;
  /** Stands for the value in the help: `--wait <time>`. */
  readonly value?: string;
  /** Every value there is. */
  readonly choices?: readonly string[];
  readonly help: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export type OptionValues<O extends OptionSpecs> = {
  readonly [K in keyof O]?: O[K]['type'] extends 'boolean'
    ? boolean
    : O[K] extends { multiple: true }
      ? readonly string[]
      : string;
};

export interface CommandSpec<O extends OptionSpecs> {
  readonly name: string;
  readonly summary: string;
  readonly listed?: 'no';
  /** What stands between the name and the options: `<address> [body | -]`. */
  readonly operands: string;
  readonly operandCount: { readonly min: number; readonly max: number };
  readonly options: O;
  /** Options that somebody may well try, and why there are none such. By name. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Paragraphs below the options. */
  readonly notes: readonly string[];
}

export interface CommandLine<O extends OptionSpecs> {
  readonly values: OptionValues<O>;
  readonly operands: readonly string[];
}

/** A command that answers `--help` and gets a command line that fits what it says about itself. */
export function defineCommand<const O extends OptionSpecs>(
  spec: CommandSpec<O>,
  action: (line: CommandLine<O>, world: World) => Promise<number>,
): Command {
  return {
    name: spec.name,
    summary: spec.summary,
    ...(spec.listed && { listed: spec.listed }),
    options: spec.options,
    run: async (argv, world) => {
      const options = { ...spec.options, help: { type: 'boolean', short: 'h' } } as const;
      const { values, positionals } = parsed(argv, { options, refused: spec.refused ?? {} });
      if ('help' in values && values.help === true) {
        await world.stdout(commandHelp(spec));
        return 0;
      }
      const { min, max } = spec.operandCount;
      if (positionals.length < min) throw usage(`ringmail ${spec.name} needs ${spec.operands}`);
      if (positionals.length > max) throw usage(`one word too many: ${positionals[max]}`);
      return action({ values: values as OptionValues<O>, operands: positionals }, world);
    },
  };
}

/** @throws USAGE_INVALID for an option that is refused with a reason, and what parseArgs throws for others */
function parsed<O extends NonNullable<Parameters<typeof parseArgs>[0]>['options']>(
  argv: readonly string[],
  { options, refused }: { options: O; refused: Readonly<Record<string, string>> },
) {
  try {
    return parseArgs({ args: [...argv], options: options as NonNullable<O>, allowPositionals: true, strict: true });
  } catch (error) {
    for (const [name, reason] of Object.entries(refused))
      if (argv.some((word) => word.split('=')[0] === `--${name}`)) throw usage(`--${name}: ${reason}`);
    throw error;
  }
}

export function usage(reason: string): RingmailError<'USAGE_INVALID'> {
  return new RingmailError('USAGE_INVALID', { reason });
}

/** What parseArgs says when it refuses, as our error; undefined for any other error. */
export function usageOf(error: unknown): RingmailError<'USAGE_INVALID'> | undefined {
  const isRefusal = error instanceof TypeError && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
  return isRefusal ? usage(error.message) : undefined;
}

const MS_BY_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** As it stands in the help: an option by its name, an operand in its brackets, `<lookup>`. */
function shown(name: string): string {
  return name.startsWith('<') ? name : `--${name}`;
}

/** Milliseconds of `500ms`, `5s`, `2m`, `1h`, `4d` or `0`. A number without its unit is refused. @throws USAGE_INVALID */
export function durationMs(option: string, text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = MS_BY_UNIT[unit];
  if (text === '0') return 0;
  if (factor === undefined)
    throw usage(`${shown(option)} ${text}: a time is a whole number and its unit, such as 500ms, 5s, 2m, 1h or 4d`);
  return Number(digits) * factor;
}

/** One of the words that an option knows. @throws USAGE_INVALID */
export function oneOf<T extends string>(option: string, text: string, words: readonly T[]): T {
  const word = words.find((known) => known === text);
  if (word === undefined) throw usage(`${shown(option)} ${text}: one of ${words.join(', ')}`);
  return word;
}

/** @throws USAGE_INVALID */
export function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usage(`${shown(option)} ${text}: not a whole number`);
  return Number(text);
}
