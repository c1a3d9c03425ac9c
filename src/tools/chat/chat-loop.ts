/** The turns of a chat: reads lines, runs commands, prints answers while they come. */
import { reportError } from '../../core/errors.js';
import { systemFault } from '../../core/file-fault.js';
import { runChatCommand } from './chat-commands.js';
import type { Conversation } from './conversation.js';

/** Stands for a line that the user gave up with Ctrl-C. */
export const ABANDONED = Symbol('abandoned');
/** A line of the input; undefined at its end. */
export type TypedLine = string | typeof ABANDONED | undefined;

/** The two ends of a chat. */
export interface ChatScreen {
  /** Asks for the next line. */
  readonly readLine: (prompt: string) => Promise<TypedLine>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Calls `stop` when the user interrupts an answer. @returns a function that ends this */
  readonly onInterrupt: (stop: () => void) => () => void;
}

const PROMPT = '>>> ';
const MORE = '... ';
const FENCE = '"""';

/** Runs until the input ends or the user leaves. @returns the number of messages that failed */
export async function chat(conversation: Conversation, screen: ChatScreen): Promise<number> {
  let failedCount = 0;
  for (;;) {
    const message = await readMessage(screen);
    if (message === undefined) return failedCount;
    if (message === ABANDONED || message.trim() === '') continue;
    try {
      if (message.startsWith('/')) {
        const text = runChatCommand(conversation, message);
        if (text === undefined) return failedCount;
        screen.out(`${text}\n`);
      } else await answer(conversation, message, screen);
    } catch (thrown) {
      failedCount++;
      const { code, message: sentence } = reportError(systemFault(thrown));
      screen.err(`${sentence} [${code}]\n`);
    }
  }
}

async function answer(conversation: Conversation, message: string, screen: ChatScreen): Promise<void> {
  const controller = new AbortController();
  const release = screen.onInterrupt(() => controller.abort());
  try {
    await conversation.ask(message, screen.out, controller.signal);
    screen.out('\n');
  } finally {
    release();
  }
}

/** One message: a line, or all lines between two fences. */
async function readMessage({ readLine }: ChatScreen): Promise<TypedLine> {
  const first = await readLine(PROMPT);
  if (typeof first !== 'string' || !first.startsWith(FENCE)) return first;
  const lines = [first.slice(FENCE.length)];
  while (!lines.at(-1)!.endsWith(FENCE)) {
    const line = await readLine(MORE);
    if (line === ABANDONED) return line;
    if (line === undefined) break;
    lines.push(line);
  }
  return lines
    .join('\n')
    .replace(new RegExp(`${FENCE}$`), '')
    .trim();
}
