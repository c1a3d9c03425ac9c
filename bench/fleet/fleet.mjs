/**
 * Simulates fleets of replicas under every way of routing, over the engine's own scheduler with measured costs of steps.
 *   node bench/fleet/fleet.mjs [--replicas 8,64] [--rates 3,6] [--seconds 30] [--seed 1] [--output FILE]
 * Needs `npm run build`. --rates are conversations a second and replica. The second half of the time counts. 8 and 64 replicas take
 * about a minute. 1,000 with --rates 3 --seconds 16 take some minutes, 8 GiB of memory and node's --max-old-space-size=8000. Equal
 * flags give equal results, whatever the machine.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { machineRecord } from '../../dist/tools/bench/machine.js';
import { ENGINE, MEASURED, readMeasured } from './engine.mjs';
import { POLICIES } from './routing.mjs';
import { simulate } from './simulate.mjs';
import { stepCosts } from './step-costs.mjs';
import { WORKLOAD } from './workload.mjs';

const { values: flags } = parseArgs({
  options: {
    replicas: { type: 'string', default: '8,64' },
    rates: { type: 'string', default: '3,6' },
    seconds: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    output: { type: 'string' },
  },
});

const [seconds, seed] = [flags.seconds, flags.seed].map(Number);
const [sizes, rates] = [flags.replicas, flags.rates].map((list) => list.split(',').map(Number));
const areNumbers = [seconds, ...sizes, ...rates].every((value) => value > 0 && value < Infinity);
if (!areNumbers || ![seed, ...sizes].every(Number.isInteger)) {
  console.error(
    '--replicas and --seed take whole numbers, such as 8,64 and 1; --rates and --seconds numbers above 0.',
  );
  process.exit(2);
}

if (flags.output !== undefined) mkdirSync(dirname(flags.output), { recursive: true });
// Before the work: what is committed meanwhile did not run.
const machine = machineRecord([]);
const costs = stepCosts(readMeasured());
const time = { startMs: 500 * seconds, endMs: 1000 * seconds };
const rows = [];
for (const conversationsPerSecond of rates)
  for (const replicaCount of sizes)
    for (const policy of POLICIES) {
      const workload = { ...WORKLOAD, conversationsPerSecond };
      const outcome = simulate({ policy, replicaCount, engine: ENGINE, costs, workload, seed, ...time });
      rows.push({ conversationsPerSecond, replicaCount, policy, ...outcome });
      console.log(JSON.stringify(rows.at(-1), rounded));
    }
const { output, ...settings } = flags;
if (output !== undefined) {
  const result = {
    command: `node bench/fleet/fleet.mjs ${Object.entries(settings)
      .map(([name, value]) => `--${name} ${value}`)
      .join(' ')}`,
    machine,
    stepCosts: { source: `bench/results/${MEASURED}`, ...costs },
    engine: ENGINE,
    workload: WORKLOAD,
    rows,
  };
  writeFileSync(output, `${JSON.stringify(result, rounded, 2)}\n`);
}

/** Four digits are more than the model is worth; counts stay whole. */
function rounded(_, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
