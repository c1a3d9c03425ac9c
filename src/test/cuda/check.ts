/**
 * Compares whole models on a GPU with the reference, in a plain Node process, as compute-sanitizer wants it:
 * `node dist/test/cuda/check.js [--library-path DIR] [--filter WORDS] [--shard I/N]`. Prints a line for each case. `--shard 1/4` runs
 * every fourth, so that four processes share them: most of a case's time is the reference's. Exit status 1 when a case fails.
 */
import { parseArgs } from 'node:util';
import { compareModel } from './compare-model.js';
import { MODEL_CASES } from './model-cases.js';
import { openCudaTools } from './open-test-executor.js';

const { values: flags } = parseArgs({
  options: {
    'library-path': { type: 'string' },
    filter: { type: 'string', default: '' },
    shard: { type: 'string', default: '1/1' },
  },
});
const [shard, shardCount] = flags.shard.split('/').map(Number) as [number, number];
const cases = MODEL_CASES.filter(
  ({ name }, index) => index % shardCount === shard - 1 && name.includes(flags.filter),
);
if (cases.length === 0) {
  console.error(`No case has '${flags.filter}' in its name; cases of this shard are those of
${MODEL_CASES.map(({ name }) => `  ${name}`).join('\n')}`);
  process.exit(2);
}

const tools = openCudaTools(flags['library-path']);
for (const test of cases) {
  const startMs = performance.now();
  const faults = await compareModel(test, tools);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${faults.length === 0 ? 'pass' : 'FAIL'} ${test.name} (${seconds} s)`);
  for (const fault of faults.slice(0, 8)) console.log(`  ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
tools.dispose();
