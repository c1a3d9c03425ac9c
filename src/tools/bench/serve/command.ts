/** `aloft bench serve`: a sweep of loads against a server; text, JSON and HTML results. */
import { AloftError } from '../../../core/errors.js';
import { seededRandom } from '../../../core/random.js';
import { interruptible } from '../../cli/interrupt.js';
import { durationText, startProgress } from '../../cli/progress.js';
import { plural, formatTable, jsonText, type Terminal } from '../../cli/terminal.js';
import { readEarlier } from '../../report/earlier-result.js';
import { histogramOf } from '../../report/histogram.js';
import { htmlReport } from '../../report/html.js';
import { requireWritable, writeResultFile } from '../../report/result-file.js';
import { parseDistribution } from '../distribution.js';
import { inflightReport, inflightText, outputTokenTimes } from '../latency-report.js';
import { machineRecord } from '../machine.js';
import { generateWorkload, readDataset, type WorkItem } from '../workload.js';
import { goodput, sendWorkload, type WorkloadRun } from './send-workload.js';
import {
  EARLIER_SWEEP,
  type EarlierSweep,
  type Sweep,
  type SweepPoint,
  sweepReport,
} from './sweep-report.js';
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
  readonly compare?: string;
}

/** One load of the sweep: requests at a time, or arrivals a second. */
interface Load {
  readonly value: number;
  readonly concurrency: number;
  readonly rate: number;
}

/**
 * Ctrl-C ends the sweep; the loads that are done are reported, marked partial.
 * @throws {AloftError} USAGE; CHECK_FAILED when a request failed; what a warm-up request failed with
 */
export async function benchServe(flags: ServeBenchFlags, terminal: Terminal): Promise<void> {
  const earlier =
    flags.compare === undefined ? undefined : readEarlier(flags.compare, EARLIER_SWEEP, 'aloft bench serve');
  requireWritable([flags.json, flags.html]);
  const url = flags.url ?? (flags.api === 'grpc' ? 'localhost:8001' : 'localhost:8000');
  const target = await openTarget({ api: flags.api, url, model: flags.model, apiKey: flags.apiKey });
  const loadName = flags.requestRate === undefined ? 'requests at a time' : 'requests/s';
  const planned = loads(flags);
  terminal.err(`${planText(flags, planned)}\n`);
  const points: SweepPoint[] = [];
  try {
    await interruptible(async (signal) => {
      await warmUp(flags, target, signal);
      for (const load of planned) {
        const result = await runPoint(load, { flags, target, terminal, signal });
        points.push(pointOf(flags, load, result));
        printPoint(points.at(-1)!, result, loadName, terminal);
      }
    });
  } finally {
    target.close();
    if (points.length > 0) {
      const sweep: Sweep = {
        title: `${flags.api} at ${url}`,
        loadName,
        machine: machineRecord(process.argv.slice(1)),
        points,
        partial: points.length < planned.length,
      };
      terminal.out(`\n${summary(sweep)}\n`);
      writeResults(sweep, flags, earlier);
    }
  }
  const errorCount = points.reduce((sum, point) => sum + point.errorCount, 0);
  if (errorCount > 0)
    throw new AloftError('CHECK_FAILED', `${plural(errorCount, 'request')} failed; see above.`);
}

/** Work ahead, with the time that it takes at least where arrivals say so. */
function planText({ numRequests }: ServeBenchFlags, planned: readonly Load[]): string {
  const work = `${plural(planned.length, 'load')} of ${plural(numRequests, 'request')}`;
  const seconds = planned.reduce((sum, { rate }) => sum + numRequests / rate, 0);
  return seconds > 0 ? `${work}: at least ${durationText(seconds)}.` : `${work}.`;
}

function printPoint(point: SweepPoint, result: WorkloadRun, loadName: string, terminal: Terminal): void {
  terminal.out(
    `\n${loadName}: ${point.load}, goodput ${point.goodput.toFixed(2)} requests/s, ${plural(point.errorCount, 'error')}\n`,
  );
  if (point.report.num_requests > 0) terminal.out(`${inflightText(point.report)}\n`);
  for (const [message, count] of result.errors)
    terminal.err(`${plural(count, 'request')} failed: ${message}\n`);
}

/** One line a load, so that they compare at a glance. */
function summary({ points, loadName }: Sweep): string {
  const rows = points.map(({ load, report, goodput: good, errorCount }) => [
    String(load),
    report.system_output_throughput_tok_s.toFixed(1),
    good.toFixed(2),
    report.ttft_percentiles.p50.toFixed(1),
    report.ttft_percentiles.p99.toFixed(1),
    report.tpot_percentiles.p50.toFixed(2),
    report.tpot_percentiles.p99.toFixed(2),
    String(errorCount),
  ]);
  const header = [loadName, 'tok/s', 'goodput', 'TTFT p50', 'p99', 'TPOT p50', 'p99', 'errors'];
  return formatTable([header, ...rows]);
}

function writeResults(sweep: Sweep, flags: ServeBenchFlags, earlier: EarlierSweep | undefined): void {
  const result = { ...sweep, workload: { ...flags, apiKey: undefined } };
  if (flags.json !== undefined) writeResultFile(flags.json, jsonText(result));
  if (flags.html !== undefined) writeResultFile(flags.html, htmlReport(sweepReport(sweep, flags, earlier)));
}

function pointOf(flags: ServeBenchFlags, load: Load, result: WorkloadRun): SweepPoint {
  const level = { maxFirstTokenMs: flags.sloTtftMs, maxTokenGapMs: flags.sloTpotMs };
  const errorCount = [...result.errors.values()].reduce((sum, count) => sum + count, 0);
  return {
    load: load.value,
    report: inflightReport(result.records, result.totalMs),
    goodput: goodput(result, level),
    errorCount,
    ttft_histogram: histogramOf(result.records.map(({ firstTokenMs }) => firstTokenMs)),
    tpot_histogram: histogramOf(outputTokenTimes(result.records)),
  };
}

/** Not measured: connections, compilation and caches are made. @throws {AloftError} what a request failed with */
async function warmUp(flags: ServeBenchFlags, target: BenchTarget, signal: AbortSignal): Promise<void> {
  if (flags.warmUp === 0) return;
  const items = workload(flags, flags.warmUp, Infinity).slice(0, flags.warmUp);
  const { errors } = await sendWorkload(items, target, { concurrency: flags.warmUp, signal });
  const [first] = errors;
  if (first !== undefined) throw new AloftError('CHECK_FAILED', `A warm-up request failed: ${first[0]}`);
}

interface PointRun {
  readonly flags: ServeBenchFlags;
  readonly target: BenchTarget;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

async function runPoint(load: Load, { flags, target, terminal, signal }: PointRun): Promise<WorkloadRun> {
  const items = workload(flags, flags.numRequests, load.rate);
  const work = { name: `load ${load.value}`, total: items.length, unit: 'requests' };
  const progress = startProgress(terminal, work);
  try {
    return await sendWorkload(items, target, {
      concurrency: load.concurrency,
      onProgress: progress.update,
      signal,
    });
  } finally {
    progress.stop();
  }
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
