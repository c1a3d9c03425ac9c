/** Lines and tables of the static-batch benchmark. Field names and order are those of TensorRT-LLM 0.5; ours come behind. */
import type { DecodeTimes } from './decode-times.js';
import type { LatencyStatistics, SweepCase } from './sweep.js';
import { outputTokensPerSecond } from './sweep.js';

/** Facts that stay the same over a sweep. */
export interface SweepSubject {
  readonly modelName: string;
  readonly worldSize: number;
  readonly headCount: number;
  readonly kvHeadCount: number;
  readonly layerCount: number;
  readonly hidden: number;
  readonly vocabulary: number;
  readonly precision: string;
  /** 0 when an existing engine was used. */
  readonly buildSeconds: number;
  /** `sm90`, or `cpu`. */
  readonly computeCap: string;
  readonly quantisation: string;
  readonly device: string;
}

interface MeasuredRow {
  readonly type: 'measured';
  readonly case: SweepCase;
  readonly latency: LatencyStatistics;
  readonly runCount: number;
  readonly peakGpuGiB: number;
  /** Mean time to the first token of the batch's requests. */
  readonly firstTokenMs: number;
  readonly decode: DecodeTimes;
}

/** A case that does not fit, with the bytes that say so. */
interface OutOfMemoryRow {
  readonly type: 'oom';
  readonly case: SweepCase;
  readonly wantedBytes: number;
  readonly availableBytes: number;
}

export type SweepRow = MeasuredRow | OutOfMemoryRow;

type Field = readonly [name: string, value: string | number];

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** The fields of one row, in the original's order, then Aloft's own. */
export function rowFields(subject: SweepSubject, row: SweepRow): Field[] {
  const { batch, inputTokens, outputTokens } = row.case;
  const measured = row.type === 'measured' ? row : undefined;
  const orOom = (value: (row: MeasuredRow) => number, digits: number): string | number => {
    if (measured === undefined) return 'OOM';
    const number = value(measured);
    return Number.isNaN(number) ? 'none' : round(number, digits);
  };
  const fields: Field[] = [
    ['model_name', subject.modelName],
    ['world_size', subject.worldSize],
    ['num_heads', subject.headCount],
    ['num_kv_heads', subject.kvHeadCount],
    ['num_layers', subject.layerCount],
    ['hidden_size', subject.hidden],
    ['vocab_size', subject.vocabulary],
    ['precision', subject.precision],
    ['batch_size', batch],
    ['input_length', inputTokens],
    ['output_length', outputTokens],
    ['gpu_peak_mem(gb)', measured === undefined ? 0 : round(measured.peakGpuGiB, 2)],
    ['build_time(s)', round(subject.buildSeconds, 2)],
    ['tokens_per_sec', orOom((m) => outputTokensPerSecond(m.case, m.latency.meanMs), 2)],
    ['percentile95(ms)', orOom((m) => m.latency.percentile95Ms, 3)],
    ['percentile99(ms)', orOom((m) => m.latency.percentile99Ms, 3)],
    ['latency(ms)', orOom((m) => m.latency.meanMs, 3)],
    ['compute_cap', subject.computeCap],
    ['quantization', subject.quantisation],
    ['device', subject.device],
    ['first_token(ms)', orOom((m) => m.firstTokenMs, 3)],
    ['decode_step(ms)', orOom((m) => m.decode.stepMs, 3)],
    ['host_time(us)', orOom((m) => m.decode.hostUs, 1)],
    ['exposed_host_time(us)', orOom((m) => m.decode.exposedUs, 1)],
    ['runs', measured?.runCount ?? 0],
  ];
  if (row.type === 'oom')
    fields.push(['wanted_bytes', row.wantedBytes], ['available_bytes', row.availableBytes]);
  return fields;
}

/** `[BENCHMARK] name value name value ...` */
export function benchmarkLine(subject: SweepSubject, row: SweepRow): string {
  return `[BENCHMARK] ${rowFields(subject, row)
    .map(([name, value]) => `${name} ${value}`)
    .join(' ')}`;
}

export function csvHeader(subject: SweepSubject, row: SweepRow): string {
  return rowFields(subject, row)
    .map(([name]) => name)
    .join(',');
}

export function csvLine(subject: SweepSubject, row: SweepRow): string {
  return rowFields(subject, row)
    .map(([, value]) => value)
    .join(',');
}

/** The article's table: a line per pair of lengths, a column per batch size, output tokens per second. */
export function markdownTable(rows: readonly SweepRow[]): string {
  const batches = [...new Set(rows.map((row) => row.case.batch))];
  const pairs = [...new Set(rows.map((row) => `${row.case.inputTokens},${row.case.outputTokens}`))];
  const cell = (pair: string, batch: number): string => {
    const row = rows.find(
      (r) => r.case.batch === batch && `${r.case.inputTokens},${r.case.outputTokens}` === pair,
    );
    if (row === undefined) return '';
    return row.type === 'oom' ? 'OOM' : String(round(outputTokensPerSecond(row.case, row.latency.meanMs), 2));
  };
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['input,output', ...batches.map((batch) => `batch ${batch}`)]),
    line(['---', ...batches.map(() => '--:')]),
    ...pairs.map((pair) => line([pair, ...batches.map((batch) => cell(pair, batch))])),
  ].join('\n');
}
