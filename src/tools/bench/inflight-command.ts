/** The in-flight mode of `aloft bench`: a data set or generated requests, all at once or at a Poisson rate. */
import { writeFileSync } from 'node:fs';
import { SYSTEM_CLOCK } from '../../core/clock.js';
import { AloftError } from '../../core/errors.js';
import { seededRandom } from '../../core/random.js';
import type { LoadedBatcher } from '../../llm/load.js';
import { loadTokenizer } from '../../text/tokenizer/load.js';
import type { Terminal } from '../cli/terminal.js';
import { parseDistribution } from './distribution.js';
import { runInflight } from './inflight-runner.js';
import { inflightReport, inflightText } from './latency-report.js';
import { machineRecord } from './machine.js';
import { generateWorkload, readDataset, type WorkItem } from './workload.js';

export interface InflightFlags {
  readonly dataset?: string;
  readonly numRequests: number;
  readonly inputLen: string;
  readonly outputLen: string;
  readonly requestRate: number;
  readonly seed: number;
  readonly json?: string;
}

export interface InflightBench {
  readonly engine: LoadedBatcher;
  /** Directory of the tokenizer of text prompts. */
  readonly tokenizerDirectory: string;
  readonly flags: InflightFlags;
  readonly terminal: Terminal;
}

export async function benchInflight({
  engine,
  tokenizerDirectory,
  flags,
  terminal,
}: InflightBench): Promise<void> {
  const items = workload(flags, engine);
  const needsTokenizer = items.some(({ prompt }) => typeof prompt === 'string');
  const tokenizer = needsTokenizer ? await loadTokenizer(tokenizerDirectory) : undefined;
  const encode = async (text: string) => {
    if (tokenizer !== undefined) return tokenizer.encode(text, { addSpecialTokens: true });
    throw new AloftError('INTERNAL', 'a text prompt came without a tokenizer');
  };
  const { records, totalMs } = await runInflight(engine.batcher, items, encode, SYSTEM_CLOCK);
  const report = inflightReport(records, totalMs);
  terminal.out(`${inflightText(report)}\n`);
  if (flags.json === undefined) return;
  const result = {
    machine: machineRecord(['aloft', ...process.argv.slice(2)], engine.batcher.facts.deviceName),
    workload: flags,
    report,
  };
  writeFileSync(flags.json, `${JSON.stringify(result, undefined, 2)}\n`);
}

function workload(flags: InflightFlags, engine: LoadedBatcher): WorkItem[] {
  const random = seededRandom(flags.seed);
  if (flags.dataset !== undefined) return readDataset(flags.dataset, flags.requestRate, random);
  return generateWorkload(
    {
      requestCount: flags.numRequests,
      input: parseDistribution(flags.inputLen, '--input_len'),
      output: parseDistribution(flags.outputLen, '--output_len'),
      rate: flags.requestRate,
      vocabulary: engine.batcher.limits.vocabulary,
    },
    random,
  );
}
