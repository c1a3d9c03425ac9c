/** The in-flight mode of `aloft bench`: a data set or generated requests, all at once or at a Poisson rate. */
import { SYSTEM_CLOCK } from '../../core/clock.js';
import { AloftError } from '../../core/errors.js';
import { seededRandom } from '../../core/random.js';
import type { LoadedBatcher } from '../../llm/load.js';
import { loadTokenizer } from '../../text/tokenizer/load.js';
import { unlessAborted } from '../cli/interrupt.js';
import { durationText, startProgress } from '../cli/progress.js';
import { jsonText, type Terminal } from '../cli/terminal.js';
import { readEarlier } from '../report/earlier-result.js';
import { histogramOf } from '../report/histogram.js';
import { htmlReport } from '../report/html.js';
import { writeResultFile } from '../report/result-file.js';
import { parseDistribution } from './distribution.js';
import {
  EARLIER_INFLIGHT,
  type EarlierInflight,
  inflightPage,
  type InflightResult,
} from './inflight-report.js';
import { type InflightRun, runInflight } from './inflight-runner.js';
import { inflightReport, inflightText, outputTokenTimes } from './latency-report.js';
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
  readonly html?: string;
  readonly compare?: string;
}

export interface InflightBench {
  readonly engine: LoadedBatcher;
  /** Directory of the tokenizer of text prompts. */
  readonly tokenizerDirectory: string;
  readonly flags: InflightFlags;
  readonly terminal: Terminal;
  /** Ends the run; the requests that are done are reported, marked partial. */
  readonly signal: AbortSignal;
}

export async function benchInflight({
  engine,
  tokenizerDirectory,
  flags,
  terminal,
  signal,
}: InflightBench): Promise<void> {
  const earlier =
    flags.compare === undefined
      ? undefined
      : readEarlier(flags.compare, EARLIER_INFLIGHT, 'aloft bench --type IFB');
  const items = workload(flags, engine);
  terminal.err(`${planText(items)}\n`);
  const needsTokenizer = items.some(({ prompt }) => typeof prompt === 'string');
  const tokenizer = needsTokenizer ? await loadTokenizer(tokenizerDirectory) : undefined;
  const encode = async (text: string) => {
    if (tokenizer !== undefined) return tokenizer.encode(text, { addSpecialTokens: true });
    throw new AloftError('INTERNAL', 'a text prompt came without a tokenizer');
  };
  let run: InflightRun = { records: [], totalMs: 0 };
  const progress = startProgress(terminal, { name: 'bench', total: items.length, unit: 'requests' });
  const onRequest = (now: InflightRun): void => {
    run = now;
    progress.update(run.records.length, `${tokenRate(run).toFixed(0)} tokens/s`);
  };
  try {
    const work = runInflight(engine.batcher, items, { encode, clock: SYSTEM_CLOCK, onRequest });
    await unlessAborted(work, signal);
  } finally {
    progress.stop();
    const partial = run.records.length < items.length;
    if (run.records.length > 0) reportRun(run, { engine, flags, terminal, partial, earlier });
  }
}

const tokenRate = ({ records, totalMs }: InflightRun): number =>
  (records.reduce((sum, { outputTokens }) => sum + outputTokens, 0) / totalMs) * 1000;

interface Reporting {
  readonly engine: LoadedBatcher;
  readonly flags: InflightFlags;
  readonly terminal: Terminal;
  readonly partial: boolean;
  readonly earlier: EarlierInflight | undefined;
}

function reportRun(
  { records, totalMs }: InflightRun,
  { engine, flags, terminal, partial, earlier }: Reporting,
): void {
  const result: InflightResult = {
    machine: machineRecord(['aloft', ...process.argv.slice(2)], engine.batcher.facts.deviceName),
    partial,
    workload: flags,
    report: inflightReport(records, totalMs),
    ttft_histogram: histogramOf(records.map(({ firstTokenMs }) => firstTokenMs)),
    tpot_histogram: histogramOf(outputTokenTimes(records)),
  };
  terminal.out(`${inflightText(result.report)}\n`);
  if (flags.json !== undefined) writeResultFile(flags.json, jsonText(result));
  if (flags.html !== undefined)
    writeResultFile(flags.html, htmlReport(inflightPage('Requests in flight', result, earlier)));
}

/** Work ahead, with the time that its arrivals take. */
function planText(items: readonly WorkItem[]): string {
  const tokens = items.reduce((sum, { outputTokens }) => sum + outputTokens, 0);
  const work = `${items.length} requests for ${tokens} tokens`;
  const seconds = (items.at(-1)?.arrivalMs ?? 0) / 1000;
  return seconds > 0 ? `${work}: at least ${durationText(seconds)}.` : `${work}.`;
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
