/**
 * Measures the gain of in-flight batching over static padded batches: the same requests, the same engine, the same number of
 * sequences at a time. A static padded batch takes requests in order of arrival, and computes each of its rows until the
 * longest one has ended, as batches without in-flight batching do; only the tokens that were asked for count.
 *   node bench/batching/gain.mjs --engine_dir DIR [--batch 16] [--requests 128] [--input_len 16]
 *     [--output_len geometric:64,512] [--rounds 3] [--threads N] [--seed 0] [--output FILE]
 * Needs `npm run build` and an engine with max_batch_size of at least --batch. A result is the median of its rounds.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../dist/core/random.js';
import { parseDistribution } from '../../dist/tools/bench/distribution.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { generateWorkload } from '../../dist/tools/bench/workload.js';

const aloftBinary = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
/** Prompt ids are below this: every model has them. */
const VOCABULARY = 1000;

const { values: flags } = parseArgs({
  options: {
    engine_dir: { type: 'string' },
    batch: { type: 'string', default: '16' },
    requests: { type: 'string', default: '128' },
    input_len: { type: 'string', default: '16' },
    output_len: { type: 'string', default: 'geometric:64,512' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string' },
    seed: { type: 'string', default: '0' },
    output: { type: 'string' },
  },
});
if (flags.engine_dir === undefined) {
  console.error('--engine_dir is missing: name an engine directory that aloft build has made.');
  process.exit(2);
}

const batch = Number(flags.batch);
const items = generateWorkload(
  {
    requestCount: Number(flags.requests),
    input: parseDistribution(flags.input_len, '--input_len'),
    output: parseDistribution(flags.output_len, '--output_len'),
    rate: Infinity,
    vocabulary: VOCABULARY,
  },
  seededRandom(Number(flags.seed)),
);
const wantedTokens = sum(items.map(({ outputTokens }) => outputTokens));
const longestOfBatch = (index) => {
  const start = index - (index % batch);
  return Math.max(...items.slice(start, start + batch).map(({ outputTokens }) => outputTokens));
};

const folder = mkdtempSync(join(tmpdir(), 'aloft-gain-'));
try {
  const mixed = writeDataset('mixed', (item) => item.outputTokens);
  const padded = writeDataset('padded', (_, index) => longestOfBatch(index));
  const forms = [
    { name: 'in flight', type: 'IFB', dataset: mixed, tokensPerSecond: [] },
    { name: 'static, padded', type: 'V1', dataset: padded, tokensPerSecond: [] },
    { name: 'static, ended rows leave', type: 'V1', dataset: mixed, tokensPerSecond: [] },
  ];
  for (let round = 0; round < Number(flags.rounds); round++)
    for (const form of forms) form.tokensPerSecond.push((wantedTokens * 1000) / runMs(form));
  const [inFlight, staticPadded] = forms.map(({ tokensPerSecond }) => median(tokensPerSecond));
  const { output: _, engine_dir: __, ...workload } = flags;
  const result = {
    command: 'node bench/batching/gain.mjs --engine_dir DIR',
    machine: machineRecord([]),
    engine: engineShape(),
    workload: { ...workload, wantedTokens },
    paddedTokens: sum(items.map((_item, index) => longestOfBatch(index))),
    forms: forms.map(({ name, tokensPerSecond }) => ({
      name,
      'tokens/s': Math.round(median(tokensPerSecond)),
    })),
    gain: Math.round((100 * inFlight) / staticPadded) / 100,
  };
  console.table(result.forms);
  console.log(`In-flight batching makes ${result.gain} times the output tokens/s of static padded batches.`);
  if (flags.output !== undefined) writeFileSync(flags.output, `${JSON.stringify(result, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function engineShape() {
  const { builder_config: config } = JSON.parse(readFileSync(join(flags.engine_dir, 'config.json'), 'utf8'));
  const { hidden_size, num_layers, precision, int8, max_batch_size } = config;
  return { hidden_size, num_layers, precision, int8, max_batch_size };
}

function writeDataset(name, outputTokens) {
  const file = join(folder, `${name}.json`);
  const samples = items.map((item, index) => ({
    input_ids: item.prompt,
    output_len: outputTokens(item, index),
  }));
  writeFileSync(file, JSON.stringify({ samples }));
  return file;
}

/** Milliseconds until all requests of the form have ended. */
function runMs({ type, dataset }) {
  const json = join(folder, 'report.json');
  const threads = flags.threads === undefined ? [] : ['--threads', flags.threads];
  const limits = ['--max_num_sequences', String(batch)];
  const engine = ['--engine_dir', flags.engine_dir, ...limits, ...threads];
  execFileSync(
    process.execPath,
    [aloftBinary, 'bench', '--type', type, '--dataset', dataset, ...engine, '--json', json],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return JSON.parse(readFileSync(json, 'utf8')).report.total_latency_ms;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
