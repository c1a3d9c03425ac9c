/**
 * Cost of each weight format: perplexity of the demo model's held-out text, and bytes of its engine.
 *
 *   node bench/text/perplexity.mjs [out.json]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { QUANTISED_FORMATS } from '../../dist/plan/weight-format.js';
import { openExecutor } from '../../dist/run/executor/open-executor.js';
import { heldOutText, lossesOf, perplexityOf } from '../../dist/test/held-out-text.js';
import { writeBenchRecord } from '../../dist/text/testing/bench-record.js';

const MODEL = 'models/demo';
const aloft = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));
const [file] = process.argv.slice(2);
const held = await heldOutText(MODEL);

async function measure(quantization) {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-perplexity-'));
  const directory = join(folder, 'engine');
  const flags = ['--model_dir', MODEL, '--output_dir', directory, '--max_batch_size', '64'];
  const device = ['--device', 'cpu', '--quantization', quantization, '--log-level', 'warning'];
  execFileSync(process.execPath, [aloft, 'build', ...flags, ...device], { stdio: 'ignore' });
  const executor = await openExecutor({ engineDirectory: directory, maxKvTokens: 8192 });
  try {
    const perplexity = perplexityOf(await lossesOf(executor, held));
    const engine = readdirSync(directory).find((name) => name.endsWith('.engine'));
    return { quantization, perplexity, engineBytes: statSync(join(directory, engine)).size };
  } finally {
    await executor.dispose();
    rmSync(folder, { recursive: true });
  }
}

const rows = [];
for (const name of ['none', ...QUANTISED_FORMATS.keys()]) {
  const row = await measure(name);
  rows.push({ ...row, increase: row.perplexity / (rows[0] ?? row).perplexity - 1 });
  const { perplexity, increase, engineBytes } = rows.at(-1);
  console.log(
    `${name.padEnd(15)} perplexity ${perplexity.toFixed(5)} (${(100 * increase).toFixed(3)}%)  ${(engineBytes / 1e6).toFixed(2)} MB`,
  );
}
if (file !== undefined) writeBenchRecord(file, 'bench/text/perplexity.mjs', { model: MODEL, rows });
