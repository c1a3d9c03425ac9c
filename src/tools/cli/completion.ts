/** `aloft completion`: scripts with which shells complete commands, flags and values. */
import { Argument, type Command } from 'commander';
import { type CompletedCommand, completedCommands } from '../completion/completed-command.js';
import { bashScript, fishScript, zshScript } from '../completion/scripts.js';
import { type CommandEntry, createProgram, type RegisterCommand } from './main.js';
import type { Terminal } from './terminal.js';

const SCRIPTS: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** @param commands All commands: a function, because this one is among them. */
export function completionCommand(commands: () => readonly CommandEntry[]): RegisterCommand {
  return (command: Command, terminal: Terminal) => {
    command
      .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)))
      .action(async (shell: string) => {
        const program = await createProgram(commands(), terminal, { isWanted: () => true });
        terminal.out(SCRIPTS[shell]!(completedCommands(program)));
      });
  };
}
