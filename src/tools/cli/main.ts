/** The command line: the only reader of arguments and environment. Errors end here, as one sentence and an exit code. */
import { Command, CommanderError } from 'commander';
import { AloftError, reportError } from '../../core/errors.js';
import { systemFault } from '../../core/file-fault.js';
import { normaliseFlags, usageError } from './flags.js';
import { addExamples, addSearchNote, helpConfiguration, helpRequest } from './help.js';
import { isOverHosts, type JobPlace } from '../../core/job-place.js';
import { jobPlace } from './job-place.js';
import { Interrupted, Reported } from './interrupt.js';
import { packageVersion } from './package-version.js';
import { painted, processTerminal, type Terminal } from './terminal.js';
import { wrappedLine } from './word-wrap.js';

/** Gives a sub-command its flags, arguments and action. */
export type RegisterCommand = (command: Command, terminal: Terminal) => void;

/** A sub-command as the program lists it. */
export interface CommandEntry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly description: string;
  /** Heading in the help of the program; absent: `Commands:`. */
  readonly group?: string;
  /** Loads the code of the command, which no other command needs. */
  readonly load: () => Promise<RegisterCommand>;
}

/** Runs one command line and returns the exit status: 0, 1 for failures, 2 for a user's mistake, 130 after Ctrl-C. */
export async function main(
  given: readonly string[],
  commands: readonly CommandEntry[],
  terminal: Terminal = processTerminal(),
): Promise<number> {
  const { argv, word } = helpRequest(given);
  const named = new Set(argv);
  const isNamed = ({ name, aliases = [] }: CommandEntry): boolean =>
    [name, ...aliases].some((one) => named.has(one));
  const program = await createProgram(commands, terminal, { isWanted: isNamed, searchedWord: word });
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: terminal.out,
      writeErr: () => {},
      getOutHasColors: () => terminal.outColours ?? false,
      getErrHasColors: () => terminal.errColours ?? false,
    });
  }
  try {
    const untilFollowed = await joinJob();
    if (untilFollowed === undefined) return 0;
    const status = await parse(program, argv);
    await untilFollowed();
    const lost = await terminal.lostResults?.();
    if (lost !== undefined) throw lost;
    return status;
  } catch (thrown) {
    return explain(
      thrown,
      program.commands.find((command) => command.name() === argv[0]) ?? program,
      terminal,
    );
  }
}

/**
 * Under a launcher, rank 0 runs the command line and the other ranks follow it: they print nothing and open no ports.
 * @returns a function to call when the command has ended well; undefined for a rank that has followed to the end
 */
async function joinJob(): Promise<(() => Promise<void>) | undefined> {
  const place = jobPlace(process.env);
  if (place === undefined) return () => Promise.resolve();
  const { followJob, showLife } = await import('../../run/ranks/job.js');
  const leaveHosts = isOverHosts(place) ? await joinOtherHosts(place) : undefined;
  if (place.rank === 0) {
    const untilSeen = await showLife(place);
    return async () => {
      await untilSeen();
      await leaveHosts?.();
    };
  }
  if (!(await followJob(place))) process.exit(1); // rank 0 has printed why
  await leaveHosts?.();
  return undefined;
}

/** @throws {AloftError} on rank 0, DEVICE_UNAVAILABLE, UNSUPPORTED or RANK_LATE when the hosts do not find each other */
async function joinOtherHosts(place: JobPlace): Promise<() => Promise<void>> {
  const { joinHosts } = await import('../../run/ranks/hosts/join-hosts.js');
  try {
    return await joinHosts(place);
  } catch (fault) {
    if (place.rank > 0) process.exit(1); // rank 0 has printed why
    throw fault;
  }
}

/** Runs the command. Commander throws when it has printed a version or help, which is no failure. */
async function parse(program: Command, argv: readonly string[]): Promise<0> {
  try {
    await program.parseAsync(normaliseFlags(argv), { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError && thrown.exitCode === 0)) throw thrown;
  }
  return 0;
}

export interface ProgramOptions {
  /** Whether a command gets its flags; the others have a name and a description. */
  readonly isWanted: (entry: CommandEntry) => boolean;
  /** Help shows only flags that have this word. */
  readonly searchedWord?: string | undefined;
}

/** The command line's definition; nothing is read or run. */
export async function createProgram(
  commands: readonly CommandEntry[],
  terminal: Terminal,
  { isWanted, searchedWord }: ProgramOptions,
): Promise<Command> {
  const program = new Command('aloft')
    .description('LLM inference engine and server: build, run, benchmark and serve')
    .version(packageVersion())
    // Flags belong to the command before them: `bench` and `bench serve` have some of the same names.
    .enablePositionalOptions()
    .configureHelp(helpConfiguration(searchedWord));
  for (const entry of commands) {
    const command = program
      .command(entry.name)
      .description(entry.description)
      .aliases(entry.aliases ?? []);
    if (entry.group !== undefined) command.helpGroup(entry.group);
    if (isWanted(entry)) (await entry.load())(command, terminal);
  }
  for (const command of withSubcommands(program)) {
    if (searchedWord !== undefined) addSearchNote(command, searchedWord);
    addExamples(command, pathOf(command));
  }
  return program;
}

/** `bench serve`; empty for the program. */
function pathOf(command: Command): string {
  if (command.parent === null) return '';
  return [pathOf(command.parent), command.name()].filter((word) => word !== '').join(' ');
}

/** A command and all below it. */
function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

function explain(thrown: unknown, command: Command, terminal: Terminal): number {
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') {
    command.configureOutput({ writeOut: terminal.err }).outputHelp(); // with its examples
    return 2;
  }
  const error = thrown instanceof CommanderError ? usageError(command, thrown.message) : systemFault(thrown);
  if (error instanceof Reported) return error.kind.exit;
  const { code, message } = reportError(error);
  const plain = `aloft: ${message} [${code}]`;
  const line = terminal.screen === undefined ? plain : wrappedLine(plain, terminal.screen.columns, '  ');
  const paint = (name: string): string => painted(['red', 'bold'], name);
  terminal.err(`${terminal.errColours ? line.replace(/^aloft:/, paint) : line}\n`);
  if (error instanceof Interrupted) return error.exitStatus;
  return error instanceof AloftError ? error.kind.exit : 1;
}
