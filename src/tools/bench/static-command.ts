/** The static-batch sweep of `aloft bench`: cases, rows, table, files. */
import { appendFileSync } from 'node:fs';
import { AloftError } from '../../core/errors.js';
import { writingFile } from '../../core/file-fault.js';
import { SYSTEM_CLOCK } from '../../core/clock.js';
import type { SamplingParams } from '../../core/sampling.js';
import { DEVICES } from '../../device/device.js';
import type { DevicePlace } from '../../device/device-support.js';
import type { LoadedBatcher } from '../../llm/load.js';
import { unlessAborted } from '../cli/interrupt.js';
import { durationText, startProgress } from '../cli/progress.js';
import { jsonText, type Terminal } from '../cli/terminal.js';
import { readEarlier } from '../report/earlier-result.js';
import { htmlReport } from '../report/html.js';
import { requireWritable, writeResultFile } from '../report/result-file.js';
import { watchDecodeSteps } from './decode-times.js';
import { machineRecord } from './machine.js';
import { type PeakMemory, watchPeak } from './peak-memory.js';
import {
  benchmarkLine,
  csvHeader,
  csvLine,
  markdownTable,
  rowFields,
  type SweepRow,
  type SweepSubject,
} from './report.js';
import { EARLIER_STATIC, type EarlierStatic, staticPage, type StaticResult } from './static-report.js';
import { measureCase, type RunProgress } from './static-runner.js';
import { latencyStatistics, parseBatchSizes, parseLengths, planSweep, type SweepCase } from './sweep.js';

export interface StaticFlags {
  readonly model: string;
  readonly batchSize: string;
  readonly inputOutputLen: string;
  readonly warmUp: number;
  readonly numRuns: number;
  readonly duration: number;
  readonly csv?: true;
  readonly json?: string;
  readonly html?: string;
  readonly compare?: string;
}

export interface StaticBench {
  readonly engine: LoadedBatcher;
  readonly flags: StaticFlags;
  /** The device that runs the engine. */
  readonly place: DevicePlace;
  readonly sampling: SamplingParams;
  readonly beamWidth: number;
  readonly buildSeconds: number;
  readonly terminal: Terminal;
  /** Ends the sweep; the cases that are done are reported, marked partial. */
  readonly signal: AbortSignal;
}

export async function benchStatic(bench: StaticBench): Promise<void> {
  const { engine, flags, terminal } = bench;
  const earlier =
    flags.compare === undefined ? undefined : readEarlier(flags.compare, EARLIER_STATIC, 'aloft bench');
  const { builder_config: build } = engine.manifest;
  const { cases, warnings } = planSweep(
    parseLengths(flags.inputOutputLen),
    parseBatchSizes(flags.batchSize),
    {
      maxBatch: build.max_batch_size,
      maxInputTokens: build.max_input_len,
      maxOutputTokens: build.max_output_len,
    },
  );
  for (const warning of warnings) terminal.out(`[WARNING] ${warning}\n`);
  if (cases.length === 0)
    throw new AloftError(
      'USAGE',
      `No case of --batch_size and --input_output_len is within the limits of the engine (batches of ${build.max_batch_size}, ${build.max_input_len} tokens in, ${build.max_output_len} out), so there is nothing to measure; give smaller numbers, or build an engine with larger limits.`,
    );
  terminal.err(`${planText(cases.length, flags)}\n`);
  const subject = subjectOf(bench);
  if (flags.csv) requireWritable([csvFile(subject)]);
  const rows: SweepRow[] = [];
  const gauge = DEVICES[engine.manifest.aloft.device].openMemoryGauge?.(bench.place);
  const peak = gauge === undefined ? undefined : watchPeak(gauge);
  const progress = startProgress(terminal, { name: 'bench', total: cases.length, unit: 'cases' });
  try {
    for (const one of cases) {
      const onRun = (run: RunProgress): void => progress.update(rows.length + run.share, runNote(one, run));
      const row = await unlessAborted(measureRow(bench, { one, peak, onRun }), bench.signal);
      progress.clear();
      printRow(subject, row, rows.length === 0, bench);
      rows.push(row);
      progress.update(rows.length);
    }
  } finally {
    progress.stop();
    peak?.stop();
    if (rows.length > 0) {
      terminal.out(`\n${markdownTable(rows)}\n`);
      writeResults(bench, { subject, rows, partial: rows.length < cases.length, earlier });
    }
  }
}

/** Work ahead, with the time that it takes at least. */
function planText(caseCount: number, { duration, numRuns }: StaticFlags): string {
  const each = `${caseCount} cases, each of ${numRuns} runs and ${duration} s at least`;
  return duration > 0 ? `${each}: at least ${durationText(caseCount * duration)}.` : `${each}.`;
}

function runNote({ batch, inputTokens, outputTokens }: SweepCase, { runCount, share, seconds }: RunProgress) {
  const left = share > 0 ? `, ${durationText((seconds / share) * (1 - share))} left of it` : '';
  return `batch ${batch}, ${inputTokens},${outputTokens}: ${runCount} runs${left}`;
}

interface RowWork {
  readonly one: SweepCase;
  readonly peak: PeakMemory | undefined;
  readonly onRun: (progress: RunProgress) => void;
}

/** A case whose KV cache does not fit is a row with the bytes that say so; the sweep goes on. */
async function measureRow(
  { engine, flags, sampling, beamWidth }: StaticBench,
  { one, peak, onRun }: RowWork,
): Promise<SweepRow> {
  const { executorLimits: limits, memory } = engine.batcher.facts;
  const { blockTokens, blockCount } = limits;
  const wantedBlocks = beamWidth * one.batch * Math.ceil((one.inputTokens + one.outputTokens) / blockTokens);
  if (wantedBlocks > blockCount) {
    const blockBytes = memory.kvBytesPerToken * blockTokens;
    return {
      type: 'oom',
      case: one,
      wantedBytes: wantedBlocks * blockBytes,
      availableBytes: blockCount * blockBytes,
    };
  }
  const plan = {
    warmUpRuns: flags.warmUp,
    minRuns: flags.numRuns,
    minSeconds: flags.duration,
    sampling,
    beamWidth,
    onRun,
  };
  peak?.restart();
  const decode = watchDecodeSteps(engine.batcher, one.batch);
  const times = await measureCase(engine.batcher, one, plan, SYSTEM_CLOCK).finally(decode.stop);
  return {
    type: 'measured',
    case: one,
    latency: latencyStatistics(times.latenciesMs),
    runCount: times.latenciesMs.length,
    peakGpuGiB: (peak?.bytes() ?? 0) / 2 ** 30,
    firstTokenMs: times.firstTokenMs,
    decode: decode.medians(),
  };
}

function subjectOf({ engine: { manifest }, flags, buildSeconds }: StaticBench): SweepSubject {
  const { builder_config: build, aloft } = manifest;
  return {
    modelName: flags.model,
    worldSize: build.tensor_parallel,
    headCount: build.num_heads,
    kvHeadCount: build.num_kv_heads,
    layerCount: build.num_layers,
    hidden: build.hidden_size,
    vocabulary: build.vocab_size,
    precision: build.precision,
    buildSeconds,
    computeCap: aloft.device_architecture?.replace('_', '').replace(/[a-z]$/, '') ?? aloft.device,
    quantisation: aloft.quantised_format?.split(' ')[0] ?? 'none',
    device: aloft.device,
  };
}

function printRow(
  subject: SweepSubject,
  row: SweepRow,
  isFirst: boolean,
  { flags, terminal }: StaticBench,
): void {
  if (!flags.csv) {
    terminal.out(`${benchmarkLine(subject, row)}\n`);
    return;
  }
  const lines = `${isFirst ? `${csvHeader(subject, row)}\n` : ''}${csvLine(subject, row)}\n`;
  terminal.out(lines);
  const file = csvFile(subject);
  writingFile(file, () => appendFileSync(file, lines));
}

/** The original's name for the file that CSV lines are appended to. */
function csvFile({ modelName, precision, worldSize, computeCap }: SweepSubject): string {
  return `${modelName}_${precision}_tp${worldSize}_plugin_fp8linear0_${computeCap}.csv`;
}

interface Finished {
  readonly subject: SweepSubject;
  readonly rows: readonly SweepRow[];
  readonly partial: boolean;
  readonly earlier: EarlierStatic | undefined;
}

function writeResults({ engine, flags }: StaticBench, { subject, rows, partial, earlier }: Finished): void {
  const result = {
    machine: machineRecord(['aloft', ...process.argv.slice(2)], engine.batcher.facts.deviceName),
    partial,
    rows: rows.map((row) => Object.fromEntries(rowFields(subject, row)) as StaticResult['rows'][number]),
  };
  if (flags.json !== undefined) writeResultFile(flags.json, jsonText(result));
  if (flags.html !== undefined)
    writeResultFile(flags.html, htmlReport(staticPage(result, { ...subject, ...flags }, earlier)));
}
