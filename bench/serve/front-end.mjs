/**
 * Front-end throughput of every API with an engine that computes nothing, as a file.
 *
 *   node bench/serve/front-end.mjs [FILE]
 *
 * 1,024 streams. For each API two runs that offer more than the target, and one that offers more than it can take.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { machineRecord } from '../../dist/tools/bench/machine.js';

const STREAMS = 1024;
const RUNS = [
  { tokens: 600, steps: 100 },
  { tokens: 600, steps: 100 },
  { tokens: 1200, steps: 300 },
];

const rows = [];
for (const api of ['sse', 'openai', 'grpc']) {
  for (const { tokens, steps } of RUNS) {
    const words = ['dist/serve/testing/front-end.bench.js', api, STREAMS, tokens, steps].map(String);
    const row = JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }));
    console.log(JSON.stringify(row));
    rows.push(row);
  }
}
const [file] = process.argv.slice(2);
if (file !== undefined) {
  const command = ['node', 'bench/serve/front-end.mjs', ...process.argv.slice(2)];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ machine: machineRecord(command), rows }, null, 2)}\n`);
}
