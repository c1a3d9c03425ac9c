/** `aloft bench serve`: a sweep of loads against a server; text, JSON and HTML results. */
import { SingleBar } from 'cli-progress';
import { writeFileSync } from 'node:fs';
import { AloftError } from '../../../core/errors.js';
import { seededRandom } from '../../../core/random.js';
import type { Terminal } from '../../cli/terminal.js';
import { parseDistribution } from '../distribution.js';
import { inflightReport, inflightText } from '../latency-report.js';
import { machineRecord } from '../machine.js';
import { generateWorkload, readDataset, type WorkItem } from '../workload.js';
import { htmlReport, type SweepPoint } from './html-report.js';
import { goodput, sendWorkload, type WorkloadRun } from './send-workload.js';
import { openTarget, type Api, type BenchTarget } from './target.js';

export interface ServeBenchFlags {
  readonly api: Api;
  readonly url?: string;
  readonly model?: string;
  readonly apiKey?: string;
  readonly concurrency: string;
  readonly requestRate?: string;
  readonly numRequests: number;
  readonly warmUp: number;
  readonly dataset?: string;
  readonly inputLen: string;
  readonly outputLen: string;
  readonly vocabulary: number;
  readonly seed: number;
  readonly sloTtftMs?: number;
  readonly sloTpotMs?: number;
  readonly json?: string;
  readonly html?: string;
}

/** One load of the sweep: requests at a time, or arrivals a second. */
interface Load {
  readonly value: number;
  readonly concurrency: number;
  readonly rate: number;
}

/** @throws {AloftError} USAGE; CHECK_FAILED when a request failed */
export async function benchServe(flags: ServeBenchFlags, terminal: Terminal): Promise<void> {
  const url = flags.url ?? (flags.api === 'grpc' ? 'localhost:8001' : 'localhost:8000');
  const target = await openTarget({ api: flags.api, url, model: flags.model, apiKey: flags.apiKey });
  const isRate = flags.requestRate !== undefined;
  const loadName = isRate ? 'requests/s' : 'concurrency';
  const points: SweepPoint[] = [];
  try {
    await warmUp(flags, target, terminal);
    for (const load of loads(flags)) {
      const result = await runPoint(flags, load, target, terminal);
      const point = pointOf(flags, load, result);
      points.push(point);
      terminal.out(
        `\n${loadName} ${load.value}: goodput ${point.goodput.toFixed(2)} requests/s, ${point.errorCount} errors\n`,
      );
      terminal.out(`${inflightText(point.report)}\n`);
      for (const [message, count] of result.errors) terminal.err(`${count} requests failed: ${message}\n`);
    }
  } finally {
    target.close();
  }
  const sweep = {
    title: `${flags.api} at ${url}`,
    loadName,
    machine: machineRecord(process.argv.slice(1)),
    points,
  };
  if (flags.json !== undefined)
    writeFileSync(
      flags.json,
      `${JSON.stringify({ ...sweep, workload: { ...flags, apiKey: undefined } }, undefined, 2)}\n`,
    );
  if (flags.html !== undefined) writeFileSync(flags.html, htmlReport(sweep));
  const errorCount = points.reduce((sum, point) => sum + point.errorCount, 0);
  if (errorCount > 0) throw new AloftError('CHECK_FAILED', `${errorCount} requests failed; see above.`);
}

function pointOf(flags: ServeBenchFlags, load: Load, result: WorkloadRun): SweepPoint {
  const level = { maxFirstTokenMs: flags.sloTtftMs, maxTokenGapMs: flags.sloTpotMs };
  const errorCount = [...result.errors.values()].reduce((sum, count) => sum + count, 0);
  return {
    load: load.value,
    report: inflightReport(result.records, result.totalMs),
    goodput: goodput(result, level),
    errorCount,
  };
}

/** Not measured: connections, compilation and caches are made. */
async function warmUp(flags: ServeBenchFlags, target: BenchTarget, terminal: Terminal): Promise<void> {
  if (flags.warmUp === 0) return;
  const items = workload(flags, flags.warmUp, Infinity).slice(0, flags.warmUp);
  const { errors } = await sendWorkload(items, target, { concurrency: flags.warmUp });
  const [first] = errors;
  if (first !== undefined) terminal.err(`A warm-up request failed: ${first[0]}\n`);
}

async function runPoint(
  flags: ServeBenchFlags,
  load: Load,
  target: BenchTarget,
  terminal: Terminal,
): Promise<WorkloadRun> {
  const items = workload(flags, flags.numRequests, load.rate);
  const bar = terminal.isInteractive
    ? new SingleBar({
        format: '|{bar}| {value}/{total} requests, {eta_formatted} left',
        hideCursor: true,
        clearOnComplete: true,
      })
    : undefined;
  bar?.start(items.length, 0);
  const result = await sendWorkload(items, target, {
    concurrency: load.concurrency,
    onProgress: (doneCount) => bar?.update(doneCount),
  });
  bar?.stop();
  return result;
}

function loads({ concurrency, requestRate }: ServeBenchFlags): Load[] {
  if (requestRate !== undefined) {
    return numbersOf('--request_rate', requestRate).map((rate) => ({
      value: rate,
      concurrency: Infinity,
      rate,
    }));
  }
  return numbersOf('--concurrency', concurrency).map((value) => ({
    value,
    concurrency: value,
    rate: Infinity,
  }));
}

function numbersOf(flag: string, text: string): number[] {
  const values = text.split(/[,;]/).map(Number);
  if (values.every((value) => value > 0 && value < Infinity)) return values;
  throw new AloftError('USAGE', `${flag} is '${text}', but must be numbers such as 1,2,4,8.`);
}

function workload(flags: ServeBenchFlags, requestCount: number, rate: number): WorkItem[] {
  const random = seededRandom(flags.seed);
  if (flags.dataset !== undefined) return readDataset(flags.dataset, rate, random).slice(0, requestCount);
  return generateWorkload(
    {
      requestCount,
      input: parseDistribution(flags.inputLen, '--input_len'),
      output: parseDistribution(flags.outputLen, '--output_len'),
      rate,
      vocabulary: flags.vocabulary,
    },
    random,
  );
}
