/** Commands of a chat: lines that begin with a slash. */
import { AloftError, suggestion } from '../../core/errors.js';
import type { Conversation } from './conversation.js';
import { changeSetting, SETTING_NAMES } from './settings.js';

interface ChatCommand {
  readonly usage: string;
  readonly meaning: string;
  /** Runs it. @returns text to print; undefined when the chat ends */
  readonly run: (conversation: Conversation, argument: string) => string | undefined;
}

const COMMANDS: Readonly<Record<string, ChatCommand>> = {
  set: {
    usage: '/set [name [value]]',
    meaning: 'list settings, change one, or give it back to the model',
    run(conversation, argument) {
      if (argument !== '') {
        const [, name = '', value = ''] = /^(\S+)\s*([^]*)$/.exec(argument) ?? [];
        conversation.settings = changeSetting(conversation.settings, name, value);
      }
      const { settings } = conversation;
      const set = Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
      if (argument !== '' && set.length > 0) return set.join('\n');
      const others = SETTING_NAMES.filter((name) => settings[name] === undefined);
      return [...set, `The model's own: ${others.join(', ')}`].join('\n');
    },
  },
  system: {
    usage: '/system [text]',
    meaning: 'show the system prompt or replace it; /system - removes it',
    run(conversation, argument) {
      if (argument !== '') conversation.system = argument === '-' ? undefined : argument;
      return conversation.system === undefined
        ? 'There is no system prompt.'
        : `System: ${conversation.system}`;
    },
  },
  clear: {
    usage: '/clear',
    meaning: 'forget what was said',
    run(conversation) {
      conversation.clear();
      return 'A new conversation.';
    },
  },
  save: {
    usage: '/save file',
    meaning: 'write the conversation and its settings as JSON',
    run(conversation, path) {
      conversation.save(fileOf(path, 'save'));
      return `Saved to ${path}.`;
    },
  },
  load: {
    usage: '/load file',
    meaning: 'go on with a saved conversation',
    run(conversation, path) {
      conversation.load(fileOf(path, 'load'));
      return `Loaded ${conversation.messages.length} messages from ${path}.`;
    },
  },
  stats: { usage: '/stats', meaning: 'show figures of the last answer', run: statsOf },
  help: { usage: '/help', meaning: 'show this list', run: () => HELP },
  bye: { usage: '/bye', meaning: 'leave; so does Ctrl-D', run: () => undefined },
};

const HELP = [
  ...Object.values(COMMANDS).map(({ usage, meaning }) => `${usage.padEnd(22)}${meaning}`),
  `${'"""'.padEnd(22)}begin and end a message of several lines`,
  `${'Ctrl-C'.padEnd(22)}stop the answer, or drop what was typed`,
].join('\n');

/**
 * Runs a line that begins with a slash.
 * @returns text to print; undefined when the chat ends
 * @throws {AloftError} USAGE for an unknown command or a wrong argument
 */
export function runChatCommand(conversation: Conversation, line: string): string | undefined {
  const [, name = '', argument = ''] = /^\/(\S*)\s*([^]*)$/.exec(line.trimEnd()) ?? [];
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command !== undefined) return command.run(conversation, argument);
  const near = suggestion(name, Object.keys(COMMANDS));
  const hint = near === undefined ? '' : ` Did you mean /${near}?`;
  throw new AloftError('USAGE', `There is no command /${name}; /help lists them.${hint}`);
}

function fileOf(path: string, command: string): string {
  if (path !== '') return path;
  throw new AloftError('USAGE', `/${command} needs the name of a file.`);
}

function statsOf({ last, model }: Conversation): string {
  if (last === undefined) return `Model ${model.name}; no answer has come to its end yet.`;
  const { promptTokens, outputTokens, firstPieceMs, totalMs, finishReason } = last;
  const decodeMs = totalMs - firstPieceMs;
  const rate =
    outputTokens > 1 && decodeMs > 0
      ? `, ${(((outputTokens - 1) / decodeMs) * 1000).toFixed(1)} tokens/s`
      : '';
  return `${model.name}: ${promptTokens} + ${outputTokens} tokens, first text after ${firstPieceMs.toFixed(0)} ms${rate}, ended by ${finishReason}`;
}
