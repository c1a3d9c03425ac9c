/** Statistics of an in-flight run, with the names of trtllm-bench's report (surface: performance, streaming_metrics). */

/** Times of one request, in milliseconds from its arrival. */
export interface RequestRecord {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly firstTokenMs: number;
  /** Arrival of each output token. Tokens of one message arrive together. */
  readonly tokenMs: readonly number[];
  readonly endMs: number;
}

export interface Percentiles {
  readonly average: number;
  readonly minimum: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly maximum: number;
}

/** Nearest-rank percentiles. An empty list has none: NaN everywhere. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
  return {
    average: sorted.length === 0 ? NaN : sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    minimum: at(0),
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    maximum: at(1),
  };
}

export interface InflightReport {
  readonly num_requests: number;
  readonly total_latency_ms: number;
  readonly request_throughput_req_s: number;
  readonly system_output_throughput_tok_s: number;
  readonly system_total_throughput_tok_s: number;
  readonly output_throughput_per_user_tok_s: number;
  readonly avg_input_length: number;
  readonly avg_output_length: number;
  /** Time to first token. */
  readonly ttft_percentiles: Percentiles;
  /** Mean time per output token after the first, one value a request. */
  readonly tpot_percentiles: Percentiles;
  /** Gap before each token after the first message, all requests together: that of its message, shared among the message's tokens. */
  readonly itl_percentiles: Percentiles;
  /** Gaps between consecutive messages of a request. */
  readonly message_gap_percentiles: Percentiles;
  /** Tokens that a message carries on average. */
  readonly tokens_per_message: number;
  readonly request_latency_percentiles_ms: Percentiles;
}

export function inflightReport(records: readonly RequestRecord[], totalMs: number): InflightReport {
  const sum = (pick: (record: RequestRecord) => number) =>
    records.reduce((total, record) => total + pick(record), 0);
  const outputTokens = sum((record) => record.outputTokens);
  const inputTokens = sum((record) => record.inputTokens);
  const messages = records.map(messagesOf);
  const later = messages.flatMap((own) => own.slice(1));
  return {
    num_requests: records.length,
    total_latency_ms: totalMs,
    request_throughput_req_s: (records.length / totalMs) * 1000,
    system_output_throughput_tok_s: (outputTokens / totalMs) * 1000,
    system_total_throughput_tok_s: ((inputTokens + outputTokens) / totalMs) * 1000,
    output_throughput_per_user_tok_s:
      (sum((record) => record.outputTokens / record.endMs) / records.length) * 1000,
    avg_input_length: inputTokens / records.length,
    avg_output_length: outputTokens / records.length,
    ttft_percentiles: percentiles(records.map((record) => record.firstTokenMs)),
    tpot_percentiles: percentiles(outputTokenTimes(records)),
    itl_percentiles: percentiles(
      later.flatMap(({ gapMs, tokenCount }) => Array.from({ length: tokenCount }, () => gapMs / tokenCount)),
    ),
    message_gap_percentiles: percentiles(later.map(({ gapMs }) => gapMs)),
    tokens_per_message: outputTokens / messages.reduce((count, own) => count + own.length, 0),
    request_latency_percentiles_ms: percentiles(records.map((record) => record.endMs)),
  };
}

/** Mean time per output token after the first, of each request that has several, in ms. */
export function outputTokenTimes(records: readonly RequestRecord[]): number[] {
  return records
    .filter((record) => record.outputTokens > 1)
    .map((record) => (record.tokenMs.at(-1)! - record.firstTokenMs) / (record.outputTokens - 1));
}

interface Message {
  /** Since the message before; since the request for the first. */
  readonly gapMs: number;
  readonly tokenCount: number;
}

function messagesOf({ tokenMs }: RequestRecord): Message[] {
  const counts = new Map<number, number>();
  for (const ms of tokenMs) counts.set(ms, (counts.get(ms) ?? 0) + 1);
  const arrivals = [...counts];
  return arrivals.map(([ms, tokenCount], i) => ({ gapMs: ms - (arrivals[i - 1]?.[0] ?? 0), tokenCount }));
}

/** The printed form: trtllm-bench's headings, then a table of percentiles. */
export function inflightText(report: InflightReport): string {
  const rows: [string, Percentiles][] = [
    ['Time to first token (ms)', report.ttft_percentiles],
    ['Time per output token (ms)', report.tpot_percentiles],
    ['Inter-token latency (ms)', report.itl_percentiles],
    ['Between messages (ms)', report.message_gap_percentiles],
    ['Request latency (ms)', report.request_latency_percentiles_ms],
  ];
  const columns = ['average', 'minimum', 'p50', 'p90', 'p95', 'p99', 'maximum'] as const;
  const table = [
    ' '.repeat(28) + columns.map((column) => ` ${column.padStart(9)}`).join(''),
    ...rows.map(
      ([name, values]) =>
        name.padEnd(28) + columns.map((c) => ` ${values[c].toFixed(2).padStart(9)}`).join(''),
    ),
  ];
  return [
    `Request Throughput (req/sec):            ${report.request_throughput_req_s.toFixed(3)}`,
    `Total Output Throughput (tokens/sec):    ${report.system_output_throughput_tok_s.toFixed(2)}`,
    `Total Token Throughput (tokens/sec):     ${report.system_total_throughput_tok_s.toFixed(2)}`,
    `Per User Output Throughput (tps/user):   ${report.output_throughput_per_user_tok_s.toFixed(2)}`,
    `Total Latency (ms):                      ${report.total_latency_ms.toFixed(2)}`,
    `Requests, mean input and output tokens:  ${report.num_requests}, ${report.avg_input_length.toFixed(1)}, ${report.avg_output_length.toFixed(1)}`,
    `Tokens of a message, mean:               ${report.tokens_per_message.toFixed(2)}`,
    '',
    ...table,
  ].join('\n');
}
