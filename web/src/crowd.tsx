/** Sends a crowd of requests of different lengths, so that there is something to see. */
import { signal } from '@preact/signals';
import { client } from './api.js';
import { apiKey, selectedModel } from './state.js';

const PROMPTS = ['Tell me a story about', 'Explain in one paragraph', 'Write a short poem on'];
const SUBJECTS = ['the sea', 'old trains'];
/** A browser opens six connections to a server at most, so each of these carries several prompts. */
const LENGTHS = [40, 100, 180];
const CROWD_COUNT = LENGTHS.length * PROMPTS.length * SUBJECTS.length;

const crowd = signal<AbortController | undefined>(undefined);

export function CrowdButton() {
  const current = crowd.value;
  if (current !== undefined) {
    return (
      <button type="button" class="stop" onClick={() => current.abort()}>
        Stop the crowd
      </button>
    );
  }
  return (
    <button type="button" onClick={() => void sendCrowd()} disabled={selectedModel.value === ''}>
      Send {CROWD_COUNT} requests
    </button>
  );
}

async function sendCrowd(): Promise<void> {
  const controller = new AbortController();
  crowd.value = controller;
  await Promise.allSettled(LENGTHS.map((maxTokens) => sendGroup(maxTokens, controller.signal)));
  crowd.value = undefined;
}

/** Reads answers to their end without showing them: the batcher is what is looked at. */
async function sendGroup(maxTokens: number, abort: AbortSignal): Promise<void> {
  const prompt = PROMPTS.flatMap((start) => SUBJECTS.map((subject) => `${start} ${subject}.`));
  const body = {
    model: selectedModel.value,
    prompt,
    max_tokens: maxTokens,
    stream: true,
  };
  const events = client(apiKey.value).stream('/v1/completions', body, { signal: abort });
  while (!(await events.next()).done);
}
