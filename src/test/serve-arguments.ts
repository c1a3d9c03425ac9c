/** Arguments of containers against the command line. */
import { Command } from 'commander';
import { expect } from 'vitest';
import { COMMANDS } from '../tools/cli/commands.js';
import { processTerminal } from '../tools/cli/terminal.js';

/** Fails unless the command line takes the arguments, with their values. */
export async function expectTaken([name, ...args]: readonly string[]): Promise<void> {
  const register = await COMMANDS.find((one) => one.name === name)!.load();
  const command = new Command(name);
  register(command, processTerminal());
  expect(command.parseOptions([...args])).toEqual({ operands: [], unknown: [] });
}
