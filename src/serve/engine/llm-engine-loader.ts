/** The real engines behind the server's {@link EngineLoader}: `src/llm` with the settings of a config.pbtxt. */
import { availableParallelism } from 'node:os';
import { SYSTEM_CLOCK } from '../../core/clock.js';
import { DEVICE_TRAITS, type DeviceName } from '../../core/device.js';
import { flagOf } from '../../core/device-options.js';
import { ENGINE_OPTIONS } from '../../core/engine-option-table.js';
import type { EngineOptionName } from '../../core/engine-options.js';
import { present } from '../../core/present.js';
import type { BatcherHealth } from '../../core/token-batcher.js';
import { type LoadedEngine, loadEngine } from '../../llm/load.js';
import { checkEngine } from '../../llm/check.js';
import { type LoadOptions, loadOptionsOf, type ShowLoad } from '../../llm/load-options.js';
import { ownOptionsOf } from '../../llm/own-options.js';
import { DEFAULT_BATCHER_OPTIONS } from '../../run/batcher/batcher-options.js';
import { loadGenerationDefaults } from '../../text/generation-config.js';
import { loadTokenizer } from '../../text/tokenizer/load.js';
import type { Tokenizer } from '../../text/tokenizer/tokenizer.js';
import type { ServableEngine, MemoryUse, EngineLoader, TokenCodec } from './engine-loader.js';

/**
 * @param defaults options of every engine whose configuration does not set them: those of the command line
 * @param show shows the progress of loads; default: nobody looks
 */
export function llmEngineLoader(
  defaults: LoadOptions,
  show: ShowLoad = (load) => load(() => {}),
): EngineLoader {
  return {
    async load(settings) {
      const { scheduler, ...own } = loadOptionsOf(settings.options);
      const { modelName, tokenizerDirectory } = settings;
      const options: LoadOptions = {
        ...defaults,
        ...own,
        ...present({ modelName, tokenizerDirectory }),
        scheduler: { ...defaults.scheduler, ...scheduler },
      };
      // A repository may hold engines for several kinds of devices, which are served with the same flags.
      const { own: used, foreign, device } = ownOptionsOf(settings.engineDirectory, options);
      const engine = await show((onProgress) =>
        loadEngine(settings.engineDirectory, { ...used, onProgress }),
      );
      return loadedModel(
        engine,
        used,
        foreign.map((name) => withoutEffect(name, device)),
      );
    },
    async check({ engineDirectory, tokenizerDirectory = engineDirectory }) {
      checkEngine(engineDirectory);
      await loadTokenizer(tokenizerDirectory);
    },
    async loadTokenizer(directory) {
      const tokenizer = await loadTokenizer(directory);
      const { endIds } = await loadGenerationDefaults(directory, tokenizer);
      return tokenCodec(tokenizer, endIds[0]);
    },
  };
}

/** Time for the step at hand when an engine is unloaded; its requests have ended or been cancelled before. */
const LAST_STEP_MS = 5000;

/** Sentence on an option that the engine's device has no use for, by all names that it may have been given under. */
function withoutEffect(name: EngineOptionName, device: DeviceName): string {
  const { parameters = [], device: needed } = ENGINE_OPTIONS[name];
  const names = [flagOf(name), ...parameters.map((parameter) => `parameter '${parameter}'`)].join(' or ');
  return `${names} has no effect: it is for engines that were built for '${needed}', and this one was built for '${device}'.`;
}

function loadedModel(
  engine: LoadedEngine,
  { gpu = 0, scheduler }: LoadOptions,
  remarks: readonly string[],
): ServableEngine {
  const { batcher, tokenizer, text } = engine;
  const { executorLimits } = batcher.facts;
  return {
    generator: text,
    codec: tokenCodec(tokenizer, engine.defaults.endIds[0]),
    batchingType: scheduler?.batchingType ?? DEFAULT_BATCHER_OPTIONS.batchingType,
    maxSequenceCount: executorLimits.maxRows,
    blockTokens: executorLimits.blockTokens,
    kvBlockCount: executorLimits.blockCount,
    memory: memoryUse(engine, gpu),
    remarks,
    takesAllProcessors: batcher.facts.computeThreadCount + 1 >= availableParallelism(),
    subscribe: (listener) => batcher.onStep(listener),
    heartbeatAgeMs: () => heartbeatAgeMs(batcher.health),
    onFailure: (listener) => batcher.onFailure(listener),
    dispose: () => batcher.close(LAST_STEP_MS),
  };
}

/** A loop that has failed never turns again: nobody needs to wait for its heartbeat to grow old. */
function heartbeatAgeMs({ state, heartbeatMs }: BatcherHealth): number {
  return state === 'running' ? SYSTEM_CLOCK.nowMs() - heartbeatMs : Infinity;
}

/** @param gpu ordinal of the GPU of rank 0, where the engine runs on one; the other ranks have those after it */
function memoryUse({ batcher, manifest }: LoadedEngine, gpu: number): MemoryUse[] {
  const { memoryKind, hostMemoryKind } = DEVICE_TRAITS[manifest.aloft.device];
  return batcher.facts.rankMemory.flatMap(({ weightBytes, workspaceBytes, kvBytes, hostKvBytes }, rank) => {
    const device = { rank, kind: memoryKind, deviceId: memoryKind === 'gpu' ? gpu + rank : 0 };
    const host = { rank, kind: hostMemoryKind, deviceId: 0 };
    return [
      { purpose: 'weights', ...device, bytes: weightBytes },
      { purpose: 'workspace', ...device, bytes: workspaceBytes },
      { purpose: 'KV blocks', ...device, bytes: kvBytes },
      { purpose: 'host tier of KV blocks', ...host, bytes: hostKvBytes },
    ];
  });
}

function tokenCodec(tokenizer: Tokenizer, endId: number | undefined): TokenCodec {
  return {
    encode: (text, addSpecialTokens) => tokenizer.encode(text, { addSpecialTokens }),
    decode: (tokenIds, skipSpecialTokens) => tokenizer.decode(tokenIds, { skipSpecialTokens }),
    endId: endId ?? tokenizer.eosId,
    padId: tokenizer.padId ?? endId ?? tokenizer.eosId,
  };
}
