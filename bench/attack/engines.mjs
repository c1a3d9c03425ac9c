/** Engines whose checksums are right and whose plans or tensors lie: checked, run, and loaded into the server. */
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LIES, lieIn } from '../../dist/test/hostile-engines.js';

const ALOFT = fileURLToPath(new URL('../../bin/aloft.js', import.meta.url));

/** @returns exit status, or the signal that ended the command */
export async function outcomeOf(words, limitMs = 60_000) {
  return await new Promise((resolve) => {
    execFile(process.execPath, words, { timeout: limitMs, killSignal: 'SIGKILL' }, (error, _out, err) => {
      const lines = err.trim().split('\n');
      resolve({ end: error === null ? 0 : (error.signal ?? error.code), line: lines.at(-1) ?? '' });
    });
  });
}

/** True for a command that ends by itself with one coded sentence. */
export const isRefusal = ({ end, line }) => (end === 1 || end === 2) && /\[[A-Z_]+\]$/.test(line);

/** @returns an entry for each engine; `fault` says what went wrong */
export async function attackWithEngines(target, { engine, folder, repository }) {
  const entries = [];
  const configPath = join(repository, 'tensorrt_llm', 'config.pbtxt');
  const config = readFileSync(configPath, 'utf8');
  for (const [name, lie] of Object.entries(LIES)) {
    const hostile = join(folder, 'hostile');
    cpSync(engine, hostile, { recursive: true });
    lieIn(hostile, lie);
    const check = await outcomeOf([ALOFT, 'engine', 'check', hostile]);
    const run = await outcomeOf([
      ALOFT,
      'run',
      '--engine_dir',
      hostile,
      '--input_text',
      'a',
      '--max_output_len',
      '2',
    ]);
    const answer = await fetch(`${target.http}/v2/repository/models/tensorrt_llm/load`, {
      method: 'POST',
      body: JSON.stringify({ parameters: { config: config.replaceAll(engine, hostile) } }),
    });
    const isServed = (await fetch(`${target.http}/v2/models/ensemble/ready`)).ok;
    const isHeld =
      isRefusal(check) && isRefusal(run) && answer.status === 400 && isServed && target.ended === null;
    entries.push({ name, check: check.end, run: run.end, load: answer.status, isServed, isHeld });
    rmSync(hostile, { recursive: true });
  }
  return entries;
}
