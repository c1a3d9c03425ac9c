/**
 * Front-end throughput of every API with an engine that computes nothing, as a file.
 *
 *   node bench/serve/front-end.mjs [FILE]
 *
 * 1,024 streams on all processors, which the client shares. For each API a run that offers 61,440 tokens a second, for
 * which there are targets, and one that offers more. Takes two minutes.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { machineRecord } from '../../dist/tools/bench/machine.js';

const STREAMS = 1024;
/** Tokens of each stream, and steps of the engine a second. */
const RUNS = [
  { tokens: 600, steps: 60 },
  { tokens: 600, steps: 100 },
];
const TARGET = { tokensPerSecond: 60_000, tokensPerMessage: 8, firstTokenP99Ms: 1000 };

const rows = [];
for (const api of ['sse', 'openai', 'grpc', 'sse-ids', 'grpc-ids']) {
  for (const { tokens, steps } of RUNS) {
    const words = ['dist/serve/testing/front-end.bench.js', api, STREAMS, tokens, steps].map(String);
    const row = JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }));
    rows.push({ ...row, meetsTarget: meetsTarget(row) });
    console.log(JSON.stringify(rows.at(-1)));
  }
}
const [file] = process.argv.slice(2);
if (file !== undefined) {
  const command = ['node', 'bench/serve/front-end.mjs', ...process.argv.slice(2)];
  mkdirSync(dirname(file), { recursive: true });
  const record = { machine: machineRecord(command), target: TARGET, rows };
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
}

/** A response of token ids has exactly one; the client counts no other. */
function meetsTarget({ api, steadyTokensPerSecond, tokensPerMessage, firstTokenMs }) {
  const mostTokens = api.endsWith('-ids') ? 1 : TARGET.tokensPerMessage;
  return (
    steadyTokensPerSecond >= TARGET.tokensPerSecond &&
    tokensPerMessage <= mostTokens &&
    firstTokenMs.p99 <= TARGET.firstTokenP99Ms
  );
}
