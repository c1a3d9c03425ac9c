/** The engine of the demo model, which comes with the package as a checkpoint. */
import { accessSync, constants, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DeviceName } from '../../core/device.js';
import { AloftError } from '../../core/errors.js';
import { openRank } from '../../run/executor/opening/open-rank.js';
import { runBuild } from './build.js';
import { cacheFolder } from './folders.js';
import type { Terminal } from './terminal.js';
import { terminalLog } from './terminal-log.js';

const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const DEMO_MODEL = join(PACKAGE, 'models/demo');
const DEMO_DEVICE: DeviceName = 'cpu';

/** Directory of the engine, which is built where it is missing, damaged, or of another version. */
export async function demoEngine(terminal: Terminal): Promise<string> {
  const directory = join(isWritable(PACKAGE) ? PACKAGE : cacheFolder(), 'engines/demo');
  if (isUsable(directory)) return directory;
  terminal.err('Building the engine of the demo model (models/demo) ...\n');
  rmSync(directory, { recursive: true, force: true });
  const flags = new Map<string, string>([
    ['model_dir', DEMO_MODEL],
    ['output_dir', directory],
    ['max_batch_size', '16'],
    ['max_input_len', '512'],
  ]);
  const log = terminalLog('warning', terminal);
  await runBuild(flags, { device: DEMO_DEVICE }, log, terminal);
  return directory;
}

/** A package that another user installed may be read only. */
function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function isUsable(engineDirectory: string): boolean {
  try {
    openRank({ engineDirectory, verification: 'full' }, { device: DEMO_DEVICE }).dispose();
    return true;
  } catch (fault) {
    if (fault instanceof AloftError) return false;
    throw fault;
  }
}
