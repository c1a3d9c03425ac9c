/** `aloft chat`: a conversation in the terminal, with an engine in this process or with a server. */
import type { Command } from 'commander';
import { join } from 'node:path';
import { flagOf } from '../../core/device-options.js';
import type { EngineOptionName } from '../../core/engine-options.js';
import { AloftError } from '../../core/errors.js';
import { type ChatModel, engineModel, serverModel } from '../chat/chat-model.js';
import { chat } from '../chat/chat-loop.js';
import { Conversation } from '../chat/conversation.js';
import { openLineScreen } from '../chat/line-screen.js';
import { changeSetting, type ChatSettings } from '../chat/settings.js';
import { demoEngine } from './demo-engine.js';
import { addLoadFlags, engineOptions, type LoadFlags, loadOptions } from './engine-flags.js';
import { engineDirectoryOf } from './engine-source.js';
import { repeated } from './flags.js';
import { stateFolder } from './folders.js';
import { LLM } from '../../llm/llm.js';
import { loadShown } from './load-shown.js';
import type { Terminal } from './terminal.js';

interface ChatFlags extends LoadFlags {
  readonly url?: string;
  readonly apiKey?: string;
  readonly modelName?: string;
  readonly system?: string;
  readonly set?: readonly string[];
}

export function registerChat(command: Command, terminal: Terminal): void {
  command
    .argument(
      '[engine]',
      'an engine; or a checkpoint or ORG/NAME on Hugging Face, built once (default: the demo model)',
    )
    .option('-u, --url <host:port>', 'talk with a server instead, such as localhost:8000')
    .option('--api-key <key>', 'key of the server')
    .option('--model-name <name>', 'model of the server (default: its first)')
    .option('--system <text>', 'system prompt')
    .option(
      '--set <name=value>',
      'a setting as /set takes it, such as temperature=0.7; may be repeated',
      repeated,
    );
  addLoadFlags(command);
  command.action((engine: string | undefined, flags: ChatFlags) => chatCommand(engine, flags, terminal));
}

async function chatCommand(engine: string | undefined, flags: ChatFlags, terminal: Terminal): Promise<void> {
  const settings = readSettings(flags.set ?? []);
  if (flags.url === undefined) {
    const directory =
      engine === undefined ? await demoEngine(terminal) : await engineDirectoryOf(engine, terminal);
    await using llm = await loadShown(terminal)((onProgress) =>
      LLM.load(directory, { ...loadOptions(flags), onProgress }),
    );
    return await talk(engineModel(llm), settings, flags, terminal);
  }
  if (engine !== undefined)
    throw new AloftError('USAGE', `An engine (${engine}) and --url were both given; leave one of them out.`);
  requireNoLoadFlags(flags);
  const { url, apiKey, modelName: model } = flags;
  await talk(await serverModel({ url, apiKey, model }), settings, flags, terminal);
}

/** A server has loaded its engine. @throws {AloftError} USAGE */
function requireNoLoadFlags(flags: ChatFlags): void {
  const { place: _, ...options } = engineOptions(flags);
  const [option] = Object.keys(options) as EngineOptionName[];
  const flag = flags.tokenizerDir === undefined ? option && flagOf(option) : '--tokenizer_dir';
  if (flag !== undefined)
    throw new AloftError('USAGE', `${flag} is for an engine that is loaded here; leave it out with --url.`);
}

function readSettings(given: readonly string[]): ChatSettings {
  return given.reduce((settings: ChatSettings, text) => {
    const at = text.indexOf('=');
    if (at > 0) return changeSetting(settings, text.slice(0, at), text.slice(at + 1));
    throw new AloftError('USAGE', `--set is '${text}'; give a name and a value, such as temperature=0.7.`);
  }, {});
}

/** A chat from a pipe ends with an error when one of its messages failed. */
async function talk(
  model: ChatModel,
  settings: ChatSettings,
  flags: ChatFlags,
  terminal: Terminal,
): Promise<void> {
  const isInteractive = process.stdin.isTTY && terminal.isInteractive;
  const screen = openLineScreen({
    input: process.stdin,
    output: process.stdout,
    out: terminal.out,
    err: terminal.err,
    isInteractive,
    columns: () => process.stdout.columns,
    historyPath: join(stateFolder(), 'chat-history'),
  });
  try {
    if (isInteractive) terminal.err(`Talking with ${model.name}. /help lists commands.\n`);
    const failedCount = await chat(new Conversation(model, settings, flags.system), screen);
    if (failedCount > 0 && !isInteractive)
      throw new AloftError('CHECK_FAILED', `${failedCount} of the messages failed; see above.`);
  } finally {
    screen.close();
  }
}
