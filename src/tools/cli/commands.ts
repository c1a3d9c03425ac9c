import { loadOptionsOf } from '../../llm/load-options.js';
import { llmEngineLoader } from '../../serve/engine/llm-engine-loader.js';
import { registerBench } from './bench.js';
import { registerBuild } from './build.js';
import { registerChat } from './chat.js';
import { registerClient } from './client.js';
import { registerDevices } from './devices.js';
import { registerEngine } from './engine.js';
import type { RegisterCommand } from './main.js';
import { registerPlanMemory } from './plan-memory.js';
import { registerProfile } from './profile.js';
import { registerRepo } from './repo.js';
import { registerRun } from './run.js';
import { type MakeLoader, serveCommand } from './serve.js';
import { startCommand } from './start.js';

const makeLoader: MakeLoader = ({ engineOptions }) => llmEngineLoader(loadOptionsOf(engineOptions));

/** Every sub-command, in the order of `aloft --help`. */
export const COMMANDS: readonly RegisterCommand[] = [
  startCommand(makeLoader),
  registerBuild,
  registerPlanMemory,
  registerRun,
  registerChat,
  registerBench,
  registerProfile,
  serveCommand(makeLoader),
  registerClient,
  registerRepo,
  registerEngine,
  registerDevices,
];
