/** Scripts for shells. Each is one table of the whole command line, and a few lines that look into it. */
import type { OptionSpec } from './args.ts';
import type { Completable } from './completion.ts';

export function bashScript(tree: readonly Completable[]): string {
  const words = tree.map((at) => `    ${quoted(at.words.join(' '))}) words=${quoted(followers(at).join(' '))} ;;`);
  const values = tree.flatMap((at) =>
    Object.entries(at.options).flatMap(([name, option]) =>
      option.type === 'boolean'
        ? []
        : flagsOf(name, option).map((flag) => {
            const given = option.choices === undefined ? 'return' : `words=${quoted(option.choices.join(' '))}`;
            return `    ${quoted([...at.words, flag].join(' '))}) ${given} ;;`;
          }),
    ),
  );
  return `# bash completion of ringmail; made by: ringmail completion bash
_ringmail() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at= words= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${at:+$at }$word" in
      ${tree
        .filter(({ words: path }) => path.length > 0)
        .map((one) => quoted(one.words.join(' ')))
        .join('|')}) at="\${at:+$at }$word" ;;
      *) break ;;
    esac
  done
  COMPREPLY=()
  case "$at" in
${words.join('\n')}
  esac
  case "\${at:+$at }$prev" in
${values.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _ringmail ringmail
`;
}

export function zshScript(tree: readonly Completable[]): string {
  const cases = tree.map((at) => {
    const tools = at.tools.map(({ name, summary }) => quoted(`${name}:${summary}`));
    const flags = Object.entries(at.options).flatMap(([name, option]) =>
      flagsOf(name, option).map((flag) => quoted(`${flag}:${option.help}`)),
    );
    return `    ${quoted(at.words.join(' '))}) tools=(${tools.join(' ')}) flags=(${flags.join(' ')}) ;;`;
  });
  const values = tree.flatMap((at) =>
    Object.entries(at.options).flatMap(([name, option]) =>
      option.type === 'boolean'
        ? []
        : flagsOf(name, option).map((flag) => {
            const given = option.choices === undefined ? '_files' : `compadd -- ${option.choices.map(quoted).join(' ')}`;
            return `    ${quoted([...at.words, flag].join(' '))}) ${given}; return ;;`;
          }),
    ),
  );
  return `#compdef ringmail
# zsh completion of ringmail; made by: ringmail completion zsh
_ringmail() {
  local at= word
  local -a tools flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${at:+$at }$word" in
      ${tree
        .filter(({ words: path }) => path.length > 0)
        .map((one) => quoted(one.words.join(' ')))
        .join('|')}) at="\${at:+$at }$word" ;;
      *) break ;;
    esac
  done
  case "\${at:+$at }\${words[CURRENT-1]}" in
${values.join('\n')}
  esac
  case "$at" in
${cases.join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then _describe -o option flags
  elif (( \${#tools} )); then _describe command tools
  else _files
  fi
}
compdef _ringmail ringmail
`;
}

export function fishScript(tree: readonly Completable[]): string {
  const lines = tree.flatMap((at) => {
    const here = at.words.map((word) => `__fish_seen_subcommand_from ${word}`);
    const none = at.tools.length === 0 ? [] : [`not __fish_seen_subcommand_from ${at.tools.map(({ name }) => name).join(' ')}`];
    const when = (conditions: readonly string[]): string =>
      conditions.length === 0 ? '' : ` -n ${quoted(conditions.join('; and '))}`;
    const tools = at.tools.map(
      ({ name, summary }) => `complete -c ringmail -f${when([...here, ...none])} -a ${quoted(name)} -d ${quoted(summary)}`,
    );
    const options = Object.entries(at.options).map(([name, option]) => {
      const short = option.short === undefined ? '' : ` -s ${option.short}`;
      const value =
        option.type === 'boolean' ? '' : option.choices === undefined ? ' -r' : ` -x -a ${quoted(option.choices.join(' '))}`;
      return `complete -c ringmail${when([...here, ...none])} -l ${name}${short}${value} -d ${quoted(option.help)}`;
    });
    return [...tools, ...options];
  });
  return `# fish completion of ringmail; made by: ringmail completion fish\n${lines.join('\n')}\n`;
}

/** What may stand behind the words of a command. */
function followers({ tools, options }: Completable): string[] {
  return [...tools.map(({ name }) => name), ...Object.entries(options).flatMap(([name, option]) => flagsOf(name, option))];
}

function flagsOf(name: string, { short }: OptionSpec): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

/** One word, for any of the three shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}
