/** Runs commands in the process and keeps what they print. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMANDS } from '../commands.js';
import { main } from '../main.js';

/** The model that the repository ships. */
export const DEMO_MODEL = fileURLToPath(new URL('../../../../models/demo', import.meta.url));

export interface CommandResult {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export async function aloft(...argv: string[]): Promise<CommandResult> {
  let out = '';
  let err = '';
  const terminal = {
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    isInteractive: false,
  };
  const status = await main(argv, COMMANDS, terminal);
  return { status, out, err };
}

export interface TemporaryFolder {
  path(...names: string[]): string;
  dispose(): void;
}

export function temporaryFolder(): TemporaryFolder {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-cli-test-'));
  return {
    path: (...names) => join(folder, ...names),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Builds the demo model into `directory`. */
export async function buildDemo(directory: string, ...flags: string[]): Promise<CommandResult> {
  const limits = ['--max_batch_size', '4', '--max_input_len', '128', '--max_output_len', '64'];
  return aloft('build', '--model_dir', DEMO_MODEL, '--output_dir', directory, ...limits, ...flags);
}
