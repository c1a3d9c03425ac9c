/** A loader whose engines are unloaded while nobody asks them anything, or when another one needs their memory. */
import { AloftError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { EngineLoader, EngineSettings, ServableEngine } from './engine-loader.js';
import { IdleEngine } from './idle-engine.js';

/** @param idleMs time without a request after which an engine is unloaded */
export function idleLoader(loader: EngineLoader, idleMs: number, log: Log): EngineLoader {
  const engines = new Set<IdleEngine>();
  let turn: Promise<unknown> = Promise.resolve();
  // An engine takes a share of the memory that is free: two that load at once would take it twice.
  const loadInTurn = (settings: EngineSettings): Promise<ServableEngine> => {
    const loaded = turn.then(() => loadWithRoom(loader, settings, engines));
    turn = loaded.catch(() => {});
    return loaded;
  };
  return {
    async load(settings) {
      const engine: IdleEngine = new IdleEngine(await loadInTurn(settings), {
        idleMs,
        reload: () => loadInTurn(settings),
        onChange: (sentence) => log.info(`Model '${settings.modelName}' ${sentence}`),
        onDispose: () => engines.delete(engine),
      });
      engines.add(engine);
      return engine;
    },
    check: (settings) => loader.check(settings),
    loadTokenizer: (directory) => loader.loadTokenizer(directory),
  };
}

/** Unloads idle engines, the one first that was idle longest, until there is memory enough. @throws {AloftError} what loading throws */
async function loadWithRoom(
  loader: EngineLoader,
  settings: EngineSettings,
  engines: ReadonlySet<IdleEngine>,
): Promise<ServableEngine> {
  for (;;) {
    try {
      return await loader.load(settings);
    } catch (fault) {
      const isFull = fault instanceof AloftError && fault.code === 'OUT_OF_MEMORY';
      const idle = [...engines].filter((engine) => engine.idleSinceMs !== undefined);
      const [oldest] = idle.toSorted((a, b) => a.idleSinceMs! - b.idleSinceMs!);
      if (!isFull || oldest === undefined) throw fault;
      await oldest.sleep(`because '${settings.modelName}' needs its memory`);
    }
  }
}
