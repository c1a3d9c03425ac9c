/**
 * An attack on the server, on engines and on checkpoints: resource bombs beside a client that watches, engines that lie, checkpoints,
 * tokenizers and templates of strangers, mutated requests over all protocols, and pages of other origins in Chromium.
 * Passes when no process ends, no answer of 500 and more lacks a code, the event loop always turns, and the memory comes back.
 *
 *   node bench/attack/attack.mjs [result.json] [--only PART,...]
 *
 * Parts: bombs, doubling, requests, pages, engines, checkpoints, ends.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { COMMANDS } from '../../dist/tools/cli/commands.js';
import { main } from '../../dist/tools/cli/main.js';
import { BOMBS } from './bombs.mjs';
import { attackByDoubling } from './doubling.mjs';
import { attackWithCheckpoints } from './checkpoints.mjs';
import { attackEnds } from './ends.mjs';
import { attackWithEngines } from './engines.mjs';
import { attackWithPages } from './pages.mjs';
import { attackWithRequests } from './requests.mjs';
import { quantile, Target, Watcher } from './target.mjs';

const words = process.argv.slice(2);
const onlyAt = words.indexOf('--only');
const wanted = onlyAt < 0 ? undefined : words.splice(onlyAt, 2)[1].split(',');
const [output] = words;
const isWanted = (part) => wanted === undefined || wanted.includes(part);
const COUNTS = { http: 14_000, grpc: 6000 };
/** Growth that the compiler and the allocator explain after so many different inputs. */
const MAX_GROWTH_BYTES = 96 * 2 ** 20;

/** Health is answered by the event loop; a second is what Kubernetes gives a probe (docs/decisions/0015). */
const MAX_LOOP_MS = 1000;
/** Times that a second client waits while bombs come in. */
const MAX_WAITS_MS = { p99: 100, max: 1000 };

const folder = mkdtempSync(join(tmpdir(), 'aloft-attack-'));
const engine = join(folder, 'engine');
const repository = join(folder, 'models');
const demo = fileURLToPath(new URL('../../models/demo', import.meta.url));
const sizes = ['--max_batch_size', '8', '--max_input_len', '256', '--max_output_len', '256'];
await main(['build', '--model_dir', demo, '--output_dir', engine, ...sizes], COMMANDS);
const target = await Target.start(engine, repository);
const parts = {};

/** Delays of the server's event loop in each part. */
const loopMs = [];
async function noteLoop() {
  const delays = target.ended === null ? await target.loopMs() : { p99: Infinity, max: Infinity };
  loopMs.push(delays);
  return delays;
}

/** What others wait while every bomb comes in, all taken together and the worst of each. */
async function sendBombs() {
  const entries = [];
  const all = { health: [], text: [] };
  const watcher = new Watcher();
  for (const [name, send] of Object.entries(BOMBS)) {
    const startMs = performance.now();
    const { value, waits } = await watcher.during(target, () => send(target));
    all.health.push(...waits.health);
    all.text.push(...waits.text);
    entries.push({
      name,
      ...value,
      seconds: Number(((performance.now() - startMs) / 1000).toFixed(2)),
      healthMaxMs: Math.round(Math.max(...waits.health)),
      textMaxMs: Math.round(Math.max(...waits.text)),
      loopMaxMs: Math.round((await noteLoop()).max),
      faults: waits.faults,
      isHeld: value.isCoded && waits.faults.length === 0 && target.ended === null,
    });
    console.error(`${name}: ${value.status}, others ${entries.at(-1).healthMaxMs} ms`);
    if (target.ended !== null) break;
  }
  watcher.close();
  const figures = (list) => ({ p50: quantile(list, 0.5), p99: quantile(list, 0.99), max: Math.max(...list) });
  return {
    count: entries.length,
    waitsMs: { health: figures(all.health), text: figures(all.text) },
    entries,
  };
}

/** Everything once, so that what is compiled and cached at the first time is there. */
await attackWithRequests(target, { http: 2000, grpc: 1000 });
const before = await target.sample();
await target.loopMs();
if (isWanted('bombs')) parts.bombs = await sendBombs();
if (isWanted('doubling')) parts.doubling = await attackByDoubling(target);
if (isWanted('requests')) parts.requests = await attackWithRequests(target, COUNTS);
if (isWanted('pages')) parts.pages = await attackWithPages(target);
await noteLoop();
const after = target.ended === null ? await target.sample() : undefined;
if (isWanted('engines')) parts.engines = await attackWithEngines(target, { engine, folder, repository });
if (isWanted('checkpoints')) parts.checkpoints = await attackWithCheckpoints(folder);
const ended = target.ended;
await target.close();
if (isWanted('ends'))
  parts.ends = await attackEnds(engine, (name) => join(folder, name.replaceAll(' ', '-')));
rmSync(folder, { recursive: true });

const failed = [
  ...(parts.bombs?.entries ?? []),
  ...(parts.doubling ?? []),
  ...(parts.engines ?? []),
  ...(parts.checkpoints ?? []),
  ...(parts.ends ?? []),
].filter(({ isHeld }) => !isHeld);
const heldBytes =
  after === undefined ? Infinity : after.heapUsed + after.external - before.heapUsed - before.external;
const loopMaxMs = Math.max(...loopMs.map(({ max }) => max));
const waitsHold = Object.values(parts.bombs?.waitsMs ?? {}).every(
  ({ p99, max }) => p99 <= MAX_WAITS_MS.p99 && max <= MAX_WAITS_MS.max,
);
const passes =
  waitsHold &&
  loopMaxMs < MAX_LOOP_MS &&
  ended === null &&
  failed.length === 0 &&
  (parts.requests?.faults.length ?? 0) === 0 &&
  (parts.pages?.isHeld ?? true) &&
  heldBytes < MAX_GROWTH_BYTES;
const result = {
  machine: machineRecord(['node', 'bench/attack/attack.mjs', ...process.argv.slice(2)]),
  passes,
  ended,
  memory: { before, after, heldBytes },
  loopMaxMs: Math.round(loopMaxMs),
  failed,
  parts,
};
console.log(
  JSON.stringify(
    {
      ...result,
      parts: {
        ...parts,
        bombs: parts.bombs && { ...parts.bombs, entries: [] },
        checkpoints: parts.checkpoints?.length,
        engines: parts.engines?.length,
      },
    },
    null,
    2,
  ),
);
if (output !== undefined) writeFileSync(output, `${JSON.stringify(result, null, 2)}\n`);
if (!passes) process.exitCode = 1;
