/** Every sub-command, in the order of `aloft --help`. Its code is loaded when it is the one that runs. */
import { loadOptionsOf } from '../../llm/load-options.js';
import type { CommandEntry } from './main.js';
import type { MakeLoader } from './serve.js';

/** The scripts of tensorrtllm_backend whose place `client` takes. */
const OLD_CLIENTS = [
  'inflight_batcher_llm_client',
  'end_to_end_streaming_client',
  'end_to_end_grpc_client',
] as const;

/** The loader of engines that the server commands get. */
async function engineLoader(): Promise<MakeLoader> {
  const { llmEngineLoader } = await import('../../serve/engine/llm-engine-loader.js');
  return ({ engineOptions }, show) => llmEngineLoader(loadOptionsOf(engineOptions), show);
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'start',
    group: 'Begin:',
    description: 'build the demo model, answer a prompt and serve it',
    load: async () => (await import('./start.js')).startCommand(await engineLoader()),
  },
  {
    name: 'build',
    group: 'Engines:',
    description: 'build an engine from a Hugging Face checkpoint',
    load: async () => (await import('./build.js')).registerBuild,
  },
  {
    name: 'pull',
    group: 'Engines:',
    description: 'download a model from Hugging Face into its cache',
    load: async () => (await import('./pull.js')).registerPull,
  },
  {
    name: 'inspect',
    group: 'Engines:',
    description: 'say what a checkpoint, a GGUF file or an engine is',
    load: async () => (await import('./inspect.js')).registerInspect,
  },
  {
    name: 'verify',
    group: 'Engines:',
    description: 'compare an engine with its checkpoint, layer by layer',
    load: async () => (await import('./verify.js')).registerVerify,
  },
  {
    name: 'plan-memory',
    group: 'Engines:',
    description: 'say what an engine takes and holds, without building or loading it',
    load: async () => (await import('./plan-memory.js')).registerPlanMemory,
  },
  {
    name: 'run',
    group: 'Use:',
    description: 'continue text with an engine',
    load: async () => (await import('./run.js')).registerRun,
  },
  {
    name: 'chat',
    group: 'Begin:',
    description: 'talk with a model in the terminal',
    load: async () => (await import('./chat.js')).registerChat,
  },
  {
    name: 'bench',
    group: 'Measure:',
    description: 'measure an engine: a sweep of static batches, or requests in flight',
    load: async () => (await import('./bench.js')).registerBench,
  },
  {
    name: 'profile',
    group: 'Measure:',
    description: 'time every op of the steps of a static batch, and compare it with what the device can do',
    load: async () => (await import('./profile.js')).registerProfile,
  },
  {
    name: 'serve',
    group: 'Begin:',
    description: 'serve models over HTTP, gRPC and the OpenAI API',
    load: async () => (await import('./serve.js')).serveCommand(await engineLoader()),
  },
  {
    name: 'client',
    aliases: OLD_CLIENTS,
    group: 'Use:',
    description: 'send a prompt to a server and print the answer',
    load: async () => (await import('./client.js')).registerClient,
  },
  {
    name: 'repo',
    group: 'Use:',
    description: 'make and check Triton model repositories',
    load: async () => (await import('./repo.js')).registerRepo,
  },
  {
    name: 'engine',
    group: 'Engines:',
    description: 'check and show engines',
    load: async () => (await import('./engine.js')).registerEngine,
  },
  {
    name: 'devices',
    group: 'Engines:',
    description: 'list what engines can run on here',
    load: async () => (await import('./devices.js')).registerDevices,
  },
  {
    name: 'completion',
    group: 'Begin:',
    description: 'print a script with which bash, zsh or fish completes commands and flags',
    load: async () => (await import('./completion.js')).completionCommand(() => COMMANDS),
  },
];
