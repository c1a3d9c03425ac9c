/**
 * Measures the overhead of the server over the Node API: time to first token and tokens a second of the demo model, 16 requests at a time.
 *
 *   node bench/serve/overhead.mjs [--engine DIR] [--api sse|openai|grpc|grpc-call] [--threads N] [--rounds N] [--json FILE]
 *
 * Three processes: one calls `LLM.generate`, one serves the same engine, one is the server's client. Rounds alternate
 * between the two ways; in a round both get the same prompts, which no other round has. Their texts must be equal.
 * Time to first token is the median of a round's requests. Prints the medians of the rounds and of the ratios of paired
 * rounds. With `grpc` a worker's requests share a stream, with `grpc-call` each is a call of its own. `--threads 0` is for
 * an engine on a GPU, which takes no number of threads.
 */
import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machineRecord } from '../../dist/tools/bench/machine.js';

const { values: flags } = parseArgs({
  options: {
    engine: { type: 'string', default: 'engines/demo' },
    api: { type: 'string', default: 'sse' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '10' },
    requests: { type: 'string', default: '128' },
    concurrency: { type: 'string', default: '16' },
    'output-tokens': { type: 'string', default: '64' },
    'prompt-characters': { type: 'string', default: '400' },
    json: { type: 'string' },
  },
});
/** Many requests, mostly short: both ways run compiled code when it counts. */
const WARM_UP_ROUNDS = 20;

const roles = [];
const bare = await start('overhead-bare.mjs', [flags.engine, flags.threads]);
const server = await start('overhead-server.mjs', [flags.engine, flags.threads]);
const client = await start('overhead-client.mjs', [
  flags.api,
  flags.api.startsWith('grpc') ? server.ready.grpc : server.ready.http,
]);

const text = readFileSync('models/demo/heldout.txt', 'utf8').replaceAll('</s>', '');
const rounds = [];
for (let round = -WARM_UP_ROUNDS; round < Number(flags.rounds); round++) {
  const job = {
    prompts: prompts(round + WARM_UP_ROUNDS),
    concurrency: Number(flags.concurrency),
    outputTokens: outputLengths(round < -2 ? 4 : Number(flags['output-tokens'])),
  };
  const inOrder = round % 2 === 0 ? [bare, client] : [client, bare];
  const results = new Map();
  for (const role of inOrder) results.set(role, await ask(role, job));
  if (round >= 0) rounds.push(compare(results.get(bare), results.get(client)));
}
for (const { child } of roles) child.disconnect();

const summary = {
  bareTtftMs: median((round) => round.bare.ttftMs),
  serverTtftMs: median((round) => round.server.ttftMs),
  ttftRatio: median((round) => round.server.ttftMs / round.bare.ttftMs),
  meanTtftRatio: median((round) => round.server.meanTtftMs / round.bare.meanTtftMs),
  bareTokensPerSecond: median((round) => round.bare.tokensPerSecond),
  serverTokensPerSecond: median((round) => round.server.tokensPerSecond),
  tokensPerSecondRatio: median((round) => round.server.tokensPerSecond / round.bare.tokensPerSecond),
};
const { json, ...settings } = flags;
console.log(JSON.stringify({ settings, ...summary }));
if (json !== undefined) {
  mkdirSync(dirname(json), { recursive: true });
  const command = ['node', 'bench/serve/overhead.mjs', ...process.argv.slice(2)];
  writeFileSync(
    json,
    `${JSON.stringify({ machine: machineRecord(command), settings, summary, rounds }, null, 2)}\n`,
  );
}

/** Prompts of one round: pieces of the held-out text that start anywhere. */
function prompts(round) {
  let state = round + 1;
  return Array.from({ length: Number(flags.requests) }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const length = Number(flags['prompt-characters']);
    const start = state % (text.length - length);
    return text.slice(start, start + length).trim();
  });
}

/** Half to one and a half of the mean, so that requests do not end together and the next do not come together. */
function outputLengths(mean) {
  return Array.from({ length: Number(flags.requests) }, (_, i) =>
    Math.round(mean * (0.5 + ((i * 0.618) % 1))),
  );
}

function compare(bareResult, serverResult) {
  const differing = bareResult.answers.findIndex(({ text }, i) => text !== serverResult.answers[i].text);
  if (differing >= 0) {
    const both = [bareResult, serverResult].map(({ answers }) => JSON.stringify(answers[differing].text));
    throw new Error(`Answer ${differing} differs:\n${both.join('\n')}`);
  }
  const tokenCount = bareResult.answers.reduce((sum, answer) => sum + answer.tokenCount, 0);
  const figures = ({ answers, seconds }) => ({
    ttftMs: rounded(middle(answers.map((answer) => answer.ttftMs))),
    meanTtftMs: rounded(answers.reduce((sum, answer) => sum + answer.ttftMs, 0) / answers.length),
    tokensPerSecond: rounded(tokenCount / seconds),
  });
  return { bare: figures(bareResult), server: figures(serverResult) };
}

async function start(file, words) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), words);
  const role = { child, ready: undefined };
  roles.push(role);
  role.ready = await answer(child);
  return role;
}

function ask({ child }, job) {
  child.send(job);
  return answer(child);
}

function answer(child) {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('A process of the benchmark ended early.'));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message);
    });
  });
}

function median(valueOf) {
  return rounded(middle(rounds.map(valueOf)));
}

function middle(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

function rounded(value) {
  return Number(value.toFixed(4));
}
