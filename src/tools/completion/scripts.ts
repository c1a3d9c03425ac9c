/** Completion scripts of three shells. They hold all names, so completing starts no process. Pure. */
import type { CompletedCommand, CompletedFlag, FlagValue } from './completed-command.js';

/** A word that a shell takes as it stands. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Words by which a shell finds the command: both words of `bench serve`, one of `run`. */
const key = ({ path }: CompletedCommand): string => path.join(' ');

export function bashScript(commands: readonly CompletedCommand[]): string {
  return [
    '# Completion of aloft for bash: source this file.',
    '_aloft() {',
    '  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path="" word words="" kind=""',
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    ...pathCases(commands),
    '  done',
    '  case "$path" in',
    ...commands.map(
      (command) => `    ${quoted(key(command))}) words=${quoted(wordsOf(command).join(' '))} ;;`,
    ),
    '  esac',
    '  case "$path $before" in',
    ...valueCases(commands, bashValue, (kind) => kind),
    '  esac',
    '  case "$kind" in',
    '    directory) COMPREPLY=($(compgen -d -- "$current")) ;;',
    '    file) COMPREPLY=($(compgen -f -- "$current")) ;;',
    '    *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;',
    '  esac',
    '}',
    'complete -o default -F _aloft aloft',
    '',
  ].join('\n');
}

function bashValue(value: FlagValue): string | undefined {
  switch (value.type) {
    case 'none':
      return undefined;
    case 'choice':
      return `words=${quoted(value.choices.join(' '))}`;
    case 'text':
      return 'words=""';
    case 'directory':
    case 'file':
      return `kind=${value.type}`;
  }
}

function wordsOf({ children, flags, choices = [] }: CompletedCommand): string[] {
  return [
    ...children.map(({ name }) => name),
    ...choices,
    ...flags.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short])),
  ];
}

export function zshScript(commands: readonly CompletedCommand[]): string {
  const described = (name: string, text: string) => quoted(`${name}:${text.replaceAll(':', String.raw`\:`)}`);
  return [
    '#compdef aloft',
    '# Completion of aloft for zsh: a file _aloft in a directory of $fpath.',
    '_aloft() {',
    '  local path="" word',
    '  local -a entries',
    '  for word in "${(@)words[2,CURRENT-1]}"; do',
    ...pathCases(commands),
    '  done',
    '  case "$path ${words[CURRENT-1]}" in',
    ...valueCases(commands, zshValue, (action) => `${action}; return`),
    '  esac',
    '  case "$path" in',
    ...commands.flatMap((command) => [
      `    ${quoted(key(command))}) entries=(`,
      ...command.children.map(({ name, description }) => `      ${described(name, description)}`),
      ...(command.choices ?? []).map((choice) => `      ${described(choice, '')}`),
      ...command.flags.flatMap((flag) =>
        namesOf(flag).map((name) => `      ${described(name, flag.description)}`),
      ),
      '    ) ;;',
    ]),
    '  esac',
    "  _describe 'command or flag' entries || _files",
    '}',
    'compdef _aloft aloft',
    '',
  ].join('\n');
}

/** The words of a command line become the path of a command, one after the other. */
function pathCases(commands: readonly CompletedCommand[]): string[] {
  const named = commands.filter(({ path }) => path.length > 0);
  const lines = named.map((command) => {
    const words = `${command.path.slice(0, -1).join(' ')} ${command.path.at(-1)}`;
    return `      ${quoted(words)}) path=${quoted(key(command))} ;;`;
  });
  return ['    case "$path $word" in', ...lines, '    esac'];
}

/** Cases of flags that take a value. */
function valueCases(
  commands: readonly CompletedCommand[],
  valueOf: (value: FlagValue) => string | undefined,
  bodyOf: (value: string) => string,
): string[] {
  return commands.flatMap((command) =>
    command.flags.flatMap((flag) => {
      const value = valueOf(flag.value);
      const patterns = namesOf(flag)
        .map((name) => quoted(`${key(command)} ${name}`))
        .join('|');
      return value === undefined ? [] : [`    ${patterns}) ${bodyOf(value)} ;;`];
    }),
  );
}

const namesOf = ({ long, short }: CompletedFlag): string[] => (short === undefined ? [long] : [long, short]);

function zshValue(value: FlagValue): string | undefined {
  switch (value.type) {
    case 'none':
      return undefined;
    case 'choice':
      return `compadd -- ${value.choices.map(quoted).join(' ')}`;
    case 'text':
      return '_message text';
    case 'directory':
      return '_files -/';
    case 'file':
      return '_files';
  }
}

export function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap((command) => {
    const when = `-n ${quoted(fishCondition(command, commands))}`;
    return [
      ...command.children.map(
        ({ name, description }) => `complete -c aloft ${when} -f -a ${name} -d ${quoted(description)}`,
      ),
      ...(command.choices ?? []).map((choice) => `complete -c aloft ${when} -f -a ${choice}`),
      ...command.flags.map((flag) => `complete -c aloft ${when} ${fishFlag(flag)}`),
    ];
  });
  return [
    '# Completion of aloft for fish: a file aloft.fish in ~/.config/fish/completions.',
    ...lines,
    '',
  ].join('\n');
}

/** True where the words of the path stand on the line, and none that leads farther down. */
function fishCondition({ path, children }: CompletedCommand, commands: readonly CompletedCommand[]): string {
  const farther = path.length === 0 ? commands[0]!.children : children;
  const not =
    farther.length === 0
      ? []
      : [`not __fish_seen_subcommand_from ${farther.map(({ name }) => name).join(' ')}`];
  return [...path.map((word) => `__fish_seen_subcommand_from ${word}`), ...not].join('; and ') || 'true';
}

function fishFlag({ long, short, description, value }: CompletedFlag): string {
  const names = [`-l ${long.slice(2)}`, ...(short === undefined ? [] : [`-s ${short.slice(1)}`])].join(' ');
  const text = `${names} -d ${quoted(description)}`;
  switch (value.type) {
    case 'none':
      return text;
    case 'choice':
      return `${text} -x -a ${quoted(value.choices.join(' '))}`;
    case 'text':
      return `${text} -x`;
    case 'directory':
      return `${text} -x -a '(__fish_complete_directories)'`;
    case 'file':
      return `${text} -r -F`;
  }
}
