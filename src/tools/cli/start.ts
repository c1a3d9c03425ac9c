/** `aloft start`, which is `npm start`: the demo model from its checkpoint to streamed text, then to a server. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import { lineLog } from '../../core/log.js';
import { CPU_LAYOUT_VERSION } from '../../device/cpu/cpu-weight-layout.js';
import { openEngineRank } from '../../engine/rank-file-reader.js';
import { LLM } from '../../llm/llm.js';
import { collectAnswer, summaryLine } from '../run/output.js';
import { runBuild } from './build.js';
import type { Terminal } from './terminal.js';

const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const DEMO_MODEL = join(PACKAGE, 'models/demo');
const DEMO_ENGINE = join(PACKAGE, 'engines/demo');
const DEMO_PROMPT = 'What is deep learning ?';

export function registerStart(program: Command, terminal: Terminal): void {
  program
    .command('start')
    .description('build the demo model, answer a prompt and serve it')
    .option('--prompt <text>', 'what to ask', DEMO_PROMPT)
    .action(async ({ prompt }: { prompt: string }) => startDemo(prompt, terminal));
}

async function startDemo(prompt: string, terminal: Terminal): Promise<void> {
  if (!demoEngineIsUsable()) await buildDemoEngine(terminal);
  await using llm = await LLM.load(DEMO_ENGINE);
  terminal.out(`\n> ${prompt}\n`);
  const answer = await collectAnswer(
    llm.chat([{ role: 'user', content: prompt }], { maxOutputTokens: 128 }),
    (text) => terminal.out(text),
    ({ error }) => {
      throw new AloftError(error.code, error.message);
    },
  );
  terminal.out(`\n${summaryLine(answer)}\n`);
}

/** An engine of another version, or a damaged one, is built again. */
function demoEngineIsUsable(): boolean {
  try {
    const expected = {
      rank: 0,
      worldSize: 1,
      device: 'cpu',
      layoutVersion: CPU_LAYOUT_VERSION,
      verification: 'full',
    } as const;
    openEngineRank(DEMO_ENGINE, expected).dispose();
    return true;
  } catch (fault) {
    if (fault instanceof AloftError) return false;
    throw fault;
  }
}

async function buildDemoEngine(terminal: Terminal): Promise<void> {
  terminal.err('Building the engine of the demo model (models/demo) ...\n');
  rmSync(DEMO_ENGINE, { recursive: true, force: true });
  const flags = new Map<string, string>([
    ['model_dir', DEMO_MODEL],
    ['output_dir', DEMO_ENGINE],
    ['max_batch_size', '16'],
    ['max_input_len', '512'],
    ['max_output_len', '512'],
  ]);
  await runBuild(
    flags,
    { device: 'cpu' },
    lineLog('warning', (line) => terminal.err(`${line}\n`)),
    terminal,
  );
}
