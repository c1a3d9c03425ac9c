/** State that the parts of the page share. */
import { computed, signal } from '@preact/signals';
import type { LiveEngine, LiveSnapshot } from '../../src/protocol/live.js';
import { client, listModels, type Sampling, type ServedModel } from './api.js';

export const apiKey = signal('');
export const models = signal<readonly ServedModel[]>([]);
export const selectedModel = signal('');
export const sampling = signal<Sampling>({
  temperature: undefined,
  topP: undefined,
  topK: undefined,
  maxTokens: undefined,
  repetitionPenalty: undefined,
  seed: '',
  stop: '',
  schema: '',
  showProbabilities: false,
});

const snapshot = signal<LiveSnapshot | undefined>(undefined);
const connectionFault = signal<string | undefined>('connecting');
export const notReady = computed(() => connectionFault.value ?? snapshot.value?.notReady ?? undefined);
export const liveEngines = computed<readonly LiveEngine[]>(() => snapshot.value?.engines ?? []);

/** A moment of the chart. */
export interface Sample {
  readonly timeSeconds: number;
  readonly tokensPerSecond: number;
  readonly runningCount: number;
  readonly waitingCount: number;
}
export const samples = signal<readonly Sample[]>([]);
/** Times to the first token of the last requests, ms. */
export const firstTokenTimes = signal<readonly number[]>([]);

const MAX_SAMPLES = 300;

export async function loadModels(): Promise<void> {
  try {
    models.value = await listModels(apiKey.value);
    if (!models.value.some(({ name }) => name === selectedModel.value))
      selectedModel.value = models.value[0]?.name ?? '';
  } catch (error) {
    connectionFault.value = error instanceof Error ? error.message : String(error);
  }
}

/** Follows the batchers until the returned function is called. A lost connection is taken up again. */
export function followBatchers(): () => void {
  const controller = new AbortController();
  const follow = async (): Promise<void> => {
    while (!controller.signal.aborted) {
      try {
        for await (const event of client(apiKey.value).stream('/aloft/live', undefined, {
          signal: controller.signal,
        })) {
          takeSnapshot(event as unknown as LiveSnapshot);
        }
        connectionFault.value = 'the server has closed the connection';
      } catch (error) {
        connectionFault.value = error instanceof Error ? error.message : String(error);
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  };
  void follow();
  return () => controller.abort();
}

const seenRequests = new Set<string>();

function takeSnapshot(next: LiveSnapshot): void {
  const previous = snapshot.value;
  const wasReady = notReady.value === undefined;
  snapshot.value = next;
  connectionFault.value = undefined;
  if (!wasReady && next.notReady === null && models.value.length === 0) void loadModels();
  if (previous !== undefined) addSample(previous, next);
  for (const request of next.engines.flatMap((engine) => engine.requests)) {
    if (request.timeToFirstTokenMs === null || seenRequests.has(request.id)) continue;
    seenRequests.add(request.id);
    firstTokenTimes.value = [...firstTokenTimes.value, request.timeToFirstTokenMs].slice(-50);
  }
}

function addSample(previous: LiveSnapshot, next: LiveSnapshot): void {
  const sum = (live: LiveSnapshot, value: (engine: LiveEngine) => number) =>
    live.engines.reduce((total, engine) => total + value(engine), 0);
  const seconds = (next.timeMs - previous.timeMs) / 1000;
  const tokens =
    sum(next, (engine) => engine.generatedTokens) - sum(previous, (engine) => engine.generatedTokens);
  const sample: Sample = {
    timeSeconds: next.timeMs / 1000,
    tokensPerSecond: Math.max(0, tokens / seconds),
    runningCount: sum(next, (engine) => engine.runningCount),
    waitingCount: sum(next, (engine) => engine.waitingCount),
  };
  samples.value = [...samples.value, sample].slice(-MAX_SAMPLES);
}
