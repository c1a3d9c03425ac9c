/** Workload of an in-flight benchmark: prompts with output lengths, and when each arrives. */
import { readFileSync } from 'node:fs';
import { AloftError } from '../../core/errors.js';
import type { RandomSource } from '../../core/random.js';
import type { LengthDistribution } from './distribution.js';

export interface WorkItem {
  /** Token ids, or text for a tokenizer. */
  readonly prompt: readonly number[] | string;
  readonly outputTokens: number;
  /** Milliseconds after the start of the run. */
  readonly arrivalMs: number;
}

/** Requests a second; Infinity sends all at once. */
export type RequestRate = number;

/** Poisson arrivals at `rate`. */
export function arrivalTimes(count: number, rate: RequestRate, random: RandomSource): number[] {
  let nowMs = 0;
  return Array.from({ length: count }, () => {
    if (rate !== Infinity) nowMs += (-Math.log(1 - random.next()) / rate) * 1000;
    return nowMs;
  });
}

export interface GeneratedWorkload {
  readonly requestCount: number;
  readonly input: LengthDistribution;
  readonly output: LengthDistribution;
  readonly rate: RequestRate;
  /** Prompt ids are uniform below this. */
  readonly vocabulary: number;
}

export function generateWorkload(spec: GeneratedWorkload, random: RandomSource): WorkItem[] {
  const arrivals = arrivalTimes(spec.requestCount, spec.rate, random);
  return arrivals.map((arrivalMs) => ({
    prompt: Array.from({ length: spec.input(random) }, () => Math.floor(random.next() * spec.vocabulary)),
    outputTokens: spec.output(random),
    arrivalMs,
  }));
}

/**
 * Reads a data set: a JSON array or `{samples}` of `{input_ids, output_len}` (gptManagerBenchmark), or one JSON object
 * a line with `prompt` or `input_ids` and `output_tokens` (trtllm-bench). @throws {AloftError} USAGE with file and item
 */
export function readDataset(path: string, rate: RequestRate, random: RandomSource): WorkItem[] {
  const records = parseRecords(path);
  const arrivals = arrivalTimes(records.length, rate, random);
  return records.map((record, index) => ({
    ...toItem(record, `${path}: item ${index + 1}`),
    arrivalMs: arrivals[index]!,
  }));
}

function parseRecords(path: string): unknown[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AloftError('USAGE', `--dataset ${path} cannot be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
  try {
    if (!/^\s*[[{]/.test(text)) throw new SyntaxError('it starts with neither [ nor {');
    const records = hasOneObjectALine(text) ? parseLines(text) : samplesOf(JSON.parse(text));
    if (Array.isArray(records) && records.length > 0) return records;
    throw new SyntaxError('it holds no requests');
  } catch (cause) {
    throw new AloftError('USAGE', `--dataset ${path} is no data set: ${(cause as Error).message}.`, {
      cause,
    });
  }
}

/** The first line is a request by itself. */
function hasOneObjectALine(text: string): boolean {
  try {
    return samplesOf(JSON.parse(text.trim().split('\n')[0]!)) === undefined;
  } catch {
    return false;
  }
}

function parseLines(text: string): unknown[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

function samplesOf(parsed: unknown): unknown {
  return Array.isArray(parsed) ? parsed : (parsed as { samples?: unknown }).samples;
}

function toItem(record: unknown, where: string): Omit<WorkItem, 'arrivalMs'> {
  const fields = (typeof record === 'object' && record !== null ? record : {}) as Record<string, unknown>;
  const prompt = fields['input_ids'] ?? fields['logits'] ?? fields['prompt'];
  const outputTokens = fields['output_len'] ?? fields['output_tokens'];
  const isIds = Array.isArray(prompt) && prompt.length > 0 && prompt.every((id) => Number.isSafeInteger(id));
  if (!isIds && (typeof prompt !== 'string' || prompt === '')) {
    throw new AloftError(
      'USAGE',
      `${where} has no 'input_ids' (whole numbers) and no 'prompt' (text); give one of them.`,
    );
  }
  if (!Number.isSafeInteger(outputTokens) || (outputTokens as number) < 1) {
    throw new AloftError('USAGE', `${where} has no 'output_len' or 'output_tokens' of at least 1.`);
  }
  return { prompt: prompt as string | number[], outputTokens: outputTokens as number };
}
