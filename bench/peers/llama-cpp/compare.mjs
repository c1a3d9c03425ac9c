/**
 * node bench/peers/llama-cpp/compare.mjs --work_dir DIR [--shape tinyllama_1b] [--threads 2] [--rounds 3] [--only int4,int8] [--output FILE]
 * Aloft and llama.cpp (through node-llama-cpp) side by side on the CPU, on the same seeded random weights: tokens/s of a prompt
 * of 512 tokens and of decoding 128: int8, with activations of 16 and of 8 bits, against Q8_0, int4 against Q4_0 and Q4_K, and float16
 * against F16. llama.cpp's activations have 8 bits beside quantised weights, and its files have the head in the format of the
 * layers, which Aloft has where a row says so. Rounds alternate between the two, so
 * that a slower machine is slower for both; a result is the median of its rounds. Models are made in DIR once and kept.
 * Needs `npm run build` in the repository and `npm install` here, or in the folder that --peer_dir names: it is large.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../../..');
const PREFILL_TOKENS = 512;
const DECODE_TOKENS = 128;
const SEED = 1;
const ALL_PRECISIONS = [
  { name: 'int8', gguf: 'q8_0', buildFlags: ['--use_weight_only'] },
  {
    name: 'int8-activations8',
    gguf: 'q8_0',
    buildFlags: ['--use_weight_only', '--int8_activations'],
  },
  {
    name: 'int8-activations8-head8',
    gguf: 'q8_0',
    buildFlags: ['--use_weight_only', '--int8_activations', '--quantize_lm_head'],
  },
  { name: 'int4', gguf: 'q4_0', buildFlags: ['--quantization', 'int4'] },
  { name: 'int4_g32', gguf: 'q4_0', buildFlags: ['--quantization', 'int4_g32'] },
  { name: 'int4-of-k', engine: 'int4', gguf: 'q4_k', buildFlags: ['--quantization', 'int4'] },
  { name: 'float16', gguf: 'f16', buildFlags: [] },
];

const { values: flags } = parseArgs({
  options: {
    work_dir: { type: 'string' },
    peer_dir: { type: 'string', default: here },
    shape: { type: 'string', default: 'tinyllama_1b' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    output: { type: 'string' },
  },
});
if (flags.work_dir === undefined) {
  console.error(
    'usage: node compare.mjs --work_dir DIR [--peer_dir DIR] [--shape NAME] [--threads N] [--rounds N] [--output FILE]',
  );
  process.exit(2);
}

const PRECISIONS = ALL_PRECISIONS.filter(
  ({ name }) => flags.only === undefined || flags.only.split(',').includes(name),
);
const workDir = join(flags.work_dir, flags.shape);
const checkpointDir = join(workDir, 'checkpoint');
const engineDir = ({ name, engine = name }) => join(workDir, `engine-${engine}`);
const ggufFile = ({ gguf }) => join(workDir, `gguf/model-${gguf}.gguf`);

const node = (...args) =>
  execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const aloft = (...args) => node(join(root, 'bin/aloft.js'), ...args);

/** Checkpoint, GGUF files and engines, where they are missing. */
async function makeModels() {
  mkdirSync(workDir, { recursive: true });
  if (!existsSync(checkpointDir)) {
    const { writeRandomCheckpoint } = await import(
      join(root, 'dist/builder/random-weights/write-checkpoint.js')
    );
    const { namedShape } = await import(join(root, 'dist/builder/random-weights/shapes.js'));
    writeRandomCheckpoint(checkpointDir, namedShape(flags.shape), SEED);
  }
  if (!PRECISIONS.every((precision) => existsSync(ggufFile(precision))))
    node(join(here, 'convert.mjs'), '--model_dir', checkpointDir, '--output_dir', join(workDir, 'gguf'));
  for (const precision of PRECISIONS) {
    if (existsSync(engineDir(precision))) continue;
    const limits = [
      '--max_batch_size',
      '1',
      '--max_input_len',
      String(PREFILL_TOKENS),
      '--max_output_len',
      '256',
    ];
    const output = ['--output_dir', engineDir(precision)];
    aloft(
      'build',
      '--model_dir',
      checkpointDir,
      ...output,
      '--device',
      'cpu',
      ...limits,
      ...precision.buildFlags,
    );
  }
}

/** @returns tokens/s of llama.cpp: { prefill, decode, cpuVariant } */
function measurePeer(precision) {
  // The script runs where node-llama-cpp is installed.
  if (flags.peer_dir !== here) cpSync(join(here, 'measure.mjs'), join(flags.peer_dir, 'measure.mjs'));
  const counts = ['--prefill_tokens', String(PREFILL_TOKENS), '--decode_tokens', String(DECODE_TOKENS)];
  const options = ['--gguf', ggufFile(precision), '--threads', flags.threads, '--rounds', '3', ...counts];
  const result = JSON.parse(node(join(flags.peer_dir, 'measure.mjs'), ...options));
  return {
    prefill: result.prefillTokensPerSecond.median,
    decode: result.decodeTokensPerSecond.median,
    cpuVariant: result.cpuVariant,
  };
}

/** @returns tokens/s of Aloft: { prefill, decode, machine } */
function measureAloft(precision) {
  const json = join(workDir, 'aloft.json');
  // One case measures the prompt; the other's time after its first token is decoding.
  const lengths = `${PREFILL_TOKENS},1;4,${DECODE_TOKENS + 1}`;
  const runs = ['--warm_up', '1', '--num_runs', '3', '--duration', '0'];
  const options = ['--batch_size', '1', '--input_output_len', lengths, ...runs, '--threads', flags.threads];
  aloft('bench', '-m', flags.shape, '--engine_dir', engineDir(precision), ...options, '--json', json);
  const { machine, rows } = JSON.parse(readFileSync(json, 'utf8'));
  const [prompt, decode] = rows;
  return {
    prefill: (1000 * PREFILL_TOKENS) / prompt['first_token(ms)'],
    decode: (1000 * DECODE_TOKENS) / (decode['latency(ms)'] - decode['first_token(ms)']),
    machine,
  };
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const rounded = (value) => Math.round(value * 100) / 100;

/** Medians of both engines' rounds, and Aloft over the peer. */
function summary(kind, ours, theirs) {
  const [aloftRate, peerRate] = [ours, theirs].map((rounds) => median(rounds.map((round) => round[kind])));
  return { aloft: rounded(aloftRate), llamaCpp: rounded(peerRate), ratio: rounded(aloftRate / peerRate) };
}

await makeModels();
const results = {};
let about = {};
for (const precision of PRECISIONS) {
  const ours = [];
  const theirs = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    theirs.push(measurePeer(precision));
    ours.push(measureAloft(precision));
  }
  results[`${precision.name} / ${precision.gguf.toUpperCase()}`] = {
    prefillTokensPerSecond: summary('prefill', ours, theirs),
    decodeTokensPerSecond: summary('decode', ours, theirs),
  };
  const { command: _, ...machine } = ours[0].machine;
  about = { machine, peerCpuVariant: theirs[0].cpuVariant };
}
const { shape, threads, rounds } = flags;
const command = `node bench/peers/llama-cpp/compare.mjs --work_dir DIR --shape ${shape} --threads ${threads} --rounds ${rounds}${flags.only === undefined ? '' : ` --only ${flags.only}`}`;
const report = { command, ...about, peer: 'node-llama-cpp 3.22.1', results };
const text = `${JSON.stringify(report, undefined, 2)}\n`;
if (flags.output !== undefined) writeFileSync(flags.output, text);
console.log(text);
