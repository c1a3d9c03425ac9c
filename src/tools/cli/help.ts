/** Form of the help of commands: groups of flags, narrow terminals, a search, and colours where they are wanted. */
import { type Command, Help, type HelpConfiguration } from 'commander';
import { EXAMPLES } from './examples.js';
import { painted } from './terminal.js';

/** Longer terms have their text on the next line, so that it keeps its width on narrow terminals. */
const MAX_TERM_WIDTH = 28;

/** `--help=word` asks for the flags that have the word in name or meaning. */
const SEARCH = /^--help=(.+)$/;

export interface HelpRequest {
  /** The command line without the word. */
  readonly argv: readonly string[];
  /** Lower case; undefined for the whole help. */
  readonly word: string | undefined;
}

export function helpRequest(argv: readonly string[]): HelpRequest {
  const word = argv.map((one) => SEARCH.exec(one)?.[1]).find((one) => one !== undefined);
  return {
    argv: argv.map((one) => (SEARCH.test(one) ? '--help' : one)),
    word: word?.toLowerCase(),
  };
}

/** Settings that a command and all below it take over. */
export function helpConfiguration(word: string | undefined): HelpConfiguration {
  return {
    subcommandTerm: (command) => command.name(), // old names of a command work and are not listed
    visibleOptions(command) {
      const options = Help.prototype.visibleOptions.call(this, command);
      if (word === undefined) return options;
      return options.filter(({ flags, description }) =>
        `${flags} ${description}`.toLowerCase().replaceAll('_', '-').includes(word.replaceAll('_', '-')),
      );
    },
    padWidth(command, helper) {
      return Math.min(MAX_TERM_WIDTH, Help.prototype.padWidth.call(this, command, helper));
    },
    formatItem(term, termWidth, description, helper) {
      const format = (shown: string) =>
        Help.prototype.formatItem.call(this, shown, termWidth, description, helper);
      return helper.displayWidth(term) > termWidth ? `  ${term}\n${format('')}` : format(term);
    },
    styleTitle: (text) => painted('bold', text),
    styleOptionTerm: (text) => painted('cyan', text),
    styleSubcommandTerm: (text) => painted('cyan', text),
  };
}

/** Says below the help of a command that a search for `word` found nothing, which else looks like a command without flags. */
export function addSearchNote(command: Command, word: string): void {
  if (command.createHelp().visibleOptions(command).length === 0)
    command.addHelpText('after', `\nNo flag has '${word}' in its name or meaning.`);
}

/** Adds the examples of a command below its help. */
export function addExamples(command: Command, name: string): void {
  const examples = EXAMPLES[name] ?? [];
  if (examples.length > 0)
    command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`);
}
