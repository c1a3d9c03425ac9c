/**
 * Time in which a server refuses constraints that cannot be followed, and begins with those that are as large as they may be; and what a
 * stream beside them feels.
 *
 *   node bench/constraints/hostile.mjs [FILE]
 *
 * A server with the demo model runs in a process of its own. A stream is read alone, then once more for each constraint while
 * the same constraint is sent again and again.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRepository } from '../../dist/serve/repository/create.js';
import { HOSTILE } from '../../dist/text/grammar/testing/hostile.js';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { buildDemo } from '../../dist/tools/cli/testing/command-line.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const TOKENS = 400;
const ROUNDS = 3;
const folder = mkdtempSync(join(tmpdir(), 'aloft-hostile-'));
const url = `http://127.0.0.1:${await freePort()}`;

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function startServer() {
  const engine = join(folder, 'engine');
  await buildDemo(engine, '--max_output_len', '512', '--force');
  createRepository({ engineDirectory: engine, outputDirectory: join(folder, 'models'), options: {} });
  const port = new URL(url).port;
  const flags = [
    '--model-repository',
    join(folder, 'models'),
    '--http-port',
    port,
    '--allow-grpc',
    'false',
    '--allow-metrics',
    'false',
  ];
  const server = spawn(process.execPath, [ALOFT, 'serve', ...flags], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let i = 0; i < 300; i++) {
    const isReady = await fetch(`${url}/v2/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return server;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the server is not ready');
}

const send = (path, body) =>
  fetch(`${url}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'ensemble', ...body }),
  });
const post = (body) => send('completions', { prompt: 'Once upon a time', ...body });

/** Tools whose grammars have nearly as many nodes as those of a request may have. No two calls make equal ones. */
let heavyCount = 0;
function heavyTools() {
  const shift = ++heavyCount * 1009;
  const bounds = (i) => ({
    type: 'integer',
    minimum: -123_456_789_012_345 + shift + 7 * i,
    maximum: 987_654_321_098_765 - shift - 11 * i,
  });
  return Array.from({ length: 256 }, (_, tool) => {
    const names = Array.from({ length: 8 }, (__, i) => `bound_${i}`);
    const properties = Object.fromEntries(names.map((name, i) => [name, bounds(8 * tool + i)]));
    const parameters = { type: 'object', properties, required: names };
    return { type: 'function', function: { name: `tool_${tool}`, parameters } };
  });
}
const sendHeavyTools = () =>
  send('chat/completions', {
    messages: [{ role: 'user', content: 'Hello' }],
    tools: heavyTools(),
    tool_choice: 'required',
    max_tokens: 1,
  });

/** Milliseconds between the pieces of one stream, ascending. */
async function gaps() {
  const times = [];
  const { body } = await post({ max_tokens: TOKENS, ignore_eos: true, temperature: 0, stream: true });
  for await (const chunk of body) if (chunk.length > 0) times.push(performance.now());
  return times
    .slice(1)
    .map((time, i) => time - times[i])
    .toSorted((a, b) => a - b);
}

const members = ({ type, schema, pattern, grammar, choices }) =>
  ({
    json_schema: { guided_json: schema },
    regex: { guided_regex: pattern },
    grammar: { grammar },
    choice: { guided_choice: choices },
  })[type];
const round = (ms) => Math.round(ms * 100) / 100;
const at = (sorted, share) => round(sorted[Math.floor(share * (sorted.length - 1))]);

const server = await startServer();
const rows = [];
try {
  await gaps();
  const alone = Array.from({ length: ROUNDS }, () => 0);
  for (const i of alone.keys()) alone[i] = await gaps();
  const least = (list, share) => Math.min(...list.map((sorted) => at(sorted, share)));
  rows.push({
    constraint: 'none',
    p50GapMs: least(alone, 0.5),
    p99GapMs: least(alone, 0.99),
    largestGapMs: least(alone, 1),
  });
  // Large bodies cost their reading, whatever is in them; a temperature below zero refuses them.
  const texts = Array.from({ length: 100_000 }, (_, i) => `value ${i}`);
  const refused = (name, body) => ({ name, status: 400, attackOnce: () => post(body) });
  const attacks = [
    refused('none, but bodies of 100,000 strings', { temperature: -1, metadata: { texts } }),
    refused('none, but bodies of 1 MB', { temperature: -1, metadata: { text: 'x'.repeat(1_000_000) } }),
    ...HOSTILE.map(([name, constraint]) => refused(name, { max_tokens: 4, ...members(constraint) })),
    { name: '256 tools with bounds of 15 digits, answered', status: 200, attackOnce: sendHeavyTools },
  ];
  for (const { name, status: wanted, attackOnce } of attacks) {
    const times = [];
    const beside = [];
    for (let i = 0; i < ROUNDS; i++) {
      let isReading = true;
      const attack = async () => {
        while (isReading) {
          const startMs = performance.now();
          const answer = await attackOnce();
          await answer.arrayBuffer();
          if (answer.status !== wanted) throw new Error(`${name}: ${answer.status}`);
          times.push(performance.now() - startMs);
        }
      };
      const attacking = attack();
      beside.push(await gaps());
      isReading = false;
      await attacking;
    }
    times.sort((a, b) => a - b);
    rows.push({
      constraint: name,
      answers: times.length,
      p50Ms: at(times, 0.5),
      largestMs: at(times, 1),
      p50GapMs: least(beside, 0.5),
      p99GapMs: least(beside, 0.99),
      largestGapMs: least(beside, 1),
    });
  }
} finally {
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}
console.table(rows);
const [file] = process.argv.slice(2);
if (file !== undefined) {
  const command = ['node', 'bench/constraints/hostile.mjs', ...process.argv.slice(2)];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ machine: machineRecord(command), rows }, null, 2)}\n`);
}
