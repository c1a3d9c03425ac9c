/** The README's blocks of acceptance runs on a GPU. Each is made from one session, and refuses it when it lacks a row. */
import { number, paragraph, runsOf, source, table } from './format.mjs';
import { GPUS, isLlama2, leastSeconds } from './hardware-limit.mjs';
import { Refusal } from './results.mjs';

const LENGTHS = [
  [128, 128, 'short'],
  [128, 2048, 'long'],
  [2048, 128, 'short'],
  [2048, 2048, 'long'],
];
const BATCHES = [1, 4, 8, 16];
const CASES = LENGTHS.flatMap(([inputTokens, outputTokens, part]) =>
  BATCHES.map((batch) => ({ inputTokens, outputTokens, batch, part })),
);
const ENGINES = ['int8', 'fp16'];

const sourceOf = ({ commit }, paths) => source({ script: 'bench/cuda/acceptance.mjs', commit, paths });

/**
 * Output tokens a second in the article that the project began with: TensorRT-LLM 0.5, INT8 weights, a V100 of 32 GB. In the
 * order of `CASES`.
 */
const ARTICLE = [
  ...['48.79', '182.6', '338.99', '588.97'],
  ...['47', '171', '294', 'OOM'],
  ...['36.4', '79', '104', 'OOM'],
  ...['43', '136', 'OOM', 'OOM'],
];

/** A case's row of a part, and the path of its run. */
function rowOf(session, partName, { batch, inputTokens, outputTokens }) {
  const { data, path } = session.part(partName);
  const row = data.rows.find(
    (candidate) =>
      candidate.batch_size === batch &&
      candidate.input_length === inputTokens &&
      candidate.output_length === outputTokens,
  );
  if (row === undefined)
    throw new Refusal(`part ${partName} has no row ${inputTokens},${outputTokens} of batch ${batch}`);
  if (!isLlama2(row)) throw new Refusal(`part ${partName} is of another model`);
  return { ...row, path };
}

/** Output tokens a second, and their share of what the GPU allows at most. */
function speedCells(row, gpu, shape) {
  const { batch, outputTokens } = shape;
  const measured = Number(row.tokens_per_sec);
  if (!(measured > 0)) throw new Refusal(`a row of batch ${batch} did not run: ${row.tokens_per_sec}`);
  const most = (batch * outputTokens) / leastSeconds(GPUS[gpu], { ...shape, quantisation: row.quantization });
  return [number(measured), `${number((100 * measured) / most)}%`];
}

export function speedBlock(session) {
  const { gpu } = session;
  const paths = [];
  const runs = [];
  const rows = CASES.map((shape, i) => {
    const cells = ENGINES.flatMap((engine) => {
      const row = rowOf(session, `${engine}-${shape.part}`, shape);
      paths.push(row.path);
      runs.push(row.runs);
      return speedCells(row, gpu, shape);
    });
    return [`${shape.inputTokens},${shape.outputTokens}`, shape.batch, ARTICLE[i], ...cells];
  });
  const { bytesPerSecond, flops } = GPUS[gpu];
  const header = ['input,output', 'batch', 'article, V100 INT8'];
  const ours = ENGINES.flatMap((engine) => [`Aloft ${engine === 'int8' ? 'INT8' : engine}`, 'of the limit']);
  const caption = `LLaMA-2-7B's shape with random weights on one ${gpu}, 16-bit KV cache: output tokens a second of the whole
    batch, ${runsOf(runs)} (${sourceOf(session, paths)}). *Of the limit* is the share of what the GPU allows at most: every weight,
    key and value is read once a step at ${number(bytesPerSecond / 1e12, 1)} TB/s, 16-bit products run at
    ${number(flops / 1e12)} TFLOP/s, and nothing else takes time (\`scripts/readme/hardware-limit.mjs\`).`;
  return `${paragraph(caption)}\n\n${table([...header, ...ours], rows)}`;
}

/** Number of cases that fit into capped memory. */
export function memoryBlock(session) {
  const paths = [];
  const fitting = ENGINES.map((engine) => {
    const missing = CASES.filter((shape) => {
      const row = rowOf(session, `${engine}-capped-${shape.part}`, shape);
      paths.push(row.path);
      return row.tokens_per_sec === 'OOM';
    }).map(({ batch, inputTokens, outputTokens }) => `${inputTokens},${outputTokens} of batch ${batch}`);
    const but = missing.length === 0 ? '' : ` (not ${missing.join(' and ')})`;
    const count = `${CASES.length - missing.length} of the table's ${CASES.length} rows`;
    return `${count} run with ${engine === 'int8' ? 'INT8' : engine} weights${but}`;
  });
  const small = rowOf(session, 'fp16-kv8-capped', { batch: 16, inputTokens: 2048, outputTokens: 2048 });
  const { command } = session.part('fp16-kv8-capped').data.machine;
  const cap = command[command.indexOf('--max_device_memory') + 1];
  return paragraph(`A card of 32 GiB has ${cap.replace('GiB', ' GiB')} left for programs. With \`--max_device_memory ${cap}\`, ${fitting.join(' and ')}.
    With \`--kv_cache_dtype int8\` as well, fp16 weights run 2048,2048 of batch 16 at
    ${number(Number(small.tokens_per_sec))} tokens a second (${sourceOf(session, [...paths, small.path])}).`);
}

/** Times and loads beside the static batches, with INT8 weights. */
export function latencyBlock(session) {
  const firstToken = (inputTokens) =>
    rowOf(session, 'int8-short', { batch: 1, inputTokens, outputTokens: 128 });
  const [near, far] = [firstToken(128), firstToken(2048)];
  const inflight = session.part('inflight');
  const { report, workload } = inflight.data;
  const step = rowOf(session, 'host-time', { batch: 64, inputTokens: 128, outputTokens: 128 });
  const [, shortest, longest] = /^uniform:(\d+),(\d+)$/.exec(workload.outputLen);
  const load = `${workload.numRequests} requests of ${workload.inputLen.replace('constant:', '')} tokens and ${shortest} to ${longest} output tokens`;
  const milliseconds = (row) => `${number(row['first_token(ms)'], 1)} ms`;
  const rows = [
    ['first token of one prompt of 128 tokens', milliseconds(near)],
    ['first token of one prompt of 2,048 tokens', milliseconds(far)],
    ['decode step of 64 sequences', `${number(step['decode_step(ms)'], 1)} ms`],
    ['of it, the device waits for the host', `${number(step['exposed_host_time(us)'], 1)} us`],
    [`in flight: ${load}`, `${number(report.system_output_throughput_tok_s)} tokens/s`],
  ];
  const paths = [near, far, inflight, step].map(({ path }) => path);
  const caption = `Latencies of the same shape, and requests in flight, with INT8 weights (${sourceOf(session, paths)}):`;
  return `${paragraph(caption)}\n\n${table(['', session.gpu], rows)}`;
}
