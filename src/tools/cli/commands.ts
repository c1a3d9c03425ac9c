import { registerBench } from './bench.js';
import { registerBuild } from './build.js';
import { registerDevices } from './devices.js';
import type { RegisterCommand } from './main.js';
import { registerRun } from './run.js';
import { registerStart } from './start.js';

/** Every sub-command, in the order of `aloft --help`. */
export const COMMANDS: readonly RegisterCommand[] = [
  registerStart,
  registerBuild,
  registerRun,
  registerBench,
  registerDevices,
];
