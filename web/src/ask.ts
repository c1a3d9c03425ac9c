/** Sends questions, and writes answers into the conversation as they come. */
import { signal } from '@preact/signals';
import { type ScoredToken, wholeTokens } from '../../src/client/whole-tokens.js';
import { answer } from './api.js';
import { type Chat, type ChatNode, shownPath, withChange, withNode } from './chat.js';
import { chat } from './chats.js';
import { newId } from './id.js';
import { apiKey, sampling, selectedModel } from './state.js';

/** A second click of a double click on Send must not stop the answer. */
const STOP_AFTER_MS = 400;

export const running = signal<AbortController | undefined>(undefined);
let startedMs = 0;

export function stop(): void {
  if (performance.now() - startedMs > STOP_AFTER_MS) running.value?.abort();
}

/** @param parent node that the question follows; a question beside another has the other's parent */
export async function ask(content: string, parent: string | null): Promise<void> {
  if (content.trim() === '' || running.value !== undefined) return;
  const question = nodeOf('user', content, chat.value.kind === 'complete' ? null : parent);
  chat.value = withNode(chat.value, question);
  await answerTo(question);
}

/** Another answer beside those that the question has. */
export async function answerTo(question: ChatNode): Promise<void> {
  if (running.value !== undefined) return;
  const controller = new AbortController();
  running.value = controller;
  startedMs = performance.now();
  const reply = nodeOf('assistant', '', question.id);
  chat.value = withNode(chat.value, reply);
  const { id } = chat.value;
  const show = (change: Partial<ChatNode>): void => {
    if (chat.value.id === id) chat.value = withChange(chat.value, reply.id, change);
  };
  try {
    await receive(inputOf(chat.value, question), controller.signal, show);
  } catch (error) {
    if (controller.signal.aborted) show({ note: 'stopped' });
    else show({ note: error instanceof Error ? error.message : String(error), hasFailed: true });
  } finally {
    running.value = undefined;
  }
}

function nodeOf(role: ChatNode['role'], content: string, parent: string | null): ChatNode {
  return { id: newId(), parent, role, content, tokens: [], note: undefined };
}

type Input = Parameters<typeof answer>[1];

function inputOf(current: Chat, question: ChatNode): Input {
  if (current.kind === 'complete') return { prompt: question.content };
  const said = shownPath({ ...current, leaf: question.id });
  const system = current.system.trim() === '' ? [] : [{ role: 'system', content: current.system } as const];
  return { messages: [...system, ...said.map(({ role, content }) => ({ role, content }))] };
}

interface AnswerFacts {
  readonly startMs: number;
  firstMs: number | undefined;
  lastMs: number;
  promptTokens: number | undefined;
  outputTokens: number;
}

async function receive(
  input: Input,
  signal: AbortSignal,
  show: (change: Partial<ChatNode>) => void,
): Promise<void> {
  const facts: AnswerFacts = {
    startMs: performance.now(),
    firstMs: undefined,
    lastMs: 0,
    promptTokens: undefined,
    outputTokens: 0,
  };
  let finishReason = 'the server';
  let content = '';
  let tokens: readonly ScoredToken[] = [];
  let held: ScoredToken[] = [];
  const target = { model: selectedModel.value, apiKey: apiKey.value, signal };
  for await (const delta of answer(target, input, sampling.value)) {
    if (delta.text !== '') {
      facts.lastMs = performance.now();
      facts.firstMs ??= facts.lastMs;
    }
    finishReason = delta.finishReason ?? finishReason;
    facts.outputTokens = delta.outputTokens ?? facts.outputTokens;
    facts.promptTokens = delta.promptTokens ?? facts.promptTokens;
    held.push(...delta.tokens);
    const whole = wholeTokens(delta.text, held);
    if (whole.length > 0) held = [];
    content += delta.text;
    tokens = [...tokens, ...whole];
    show({ content, tokens });
  }
  show({ note: endNote(finishReason, facts) });
}

/** `ended: stop; 12 + 91 tokens; first token after 9 ms, then 137 tokens/s`. */
function endNote(
  reason: string,
  { startMs, firstMs, lastMs, promptTokens, outputTokens }: AnswerFacts,
): string {
  const counts = promptTokens === undefined ? '' : `; ${promptTokens} + ${outputTokens} tokens`;
  const first = firstMs === undefined ? '' : `; first token after ${(firstMs - startMs).toFixed(0)} ms`;
  const seconds = (lastMs - (firstMs ?? lastMs)) / 1000;
  const rate =
    outputTokens > 1 && seconds > 0 ? `, then ${((outputTokens - 1) / seconds).toFixed(0)} tokens/s` : '';
  return `ended: ${reason}${counts}${first}${rate}`;
}
