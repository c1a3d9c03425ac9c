import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { EngineSettings, ServableEngine } from '../engine/engine-loader.js';
import { ScriptedLoader } from '../testing/scripted-model.js';
import { startTestServer } from '../testing/test-server.js';

const LOAD_MS = 80;

class SlowLoader extends ScriptedLoader {
  override async load(settings: EngineSettings): Promise<ServableEngine> {
    await delay(LOAD_MS);
    return await super.load(settings);
  }
}

test('the time to load is reported for each version that is ready', async () => {
  const server = await startTestServer({
    loader: new SlowLoader(),
    options: { controlMode: 'explicit', loadModels: ['*'] },
  });
  try {
    const seconds = async () => {
      const text = await (await fetch(server.metricsUrl)).text();
      const lines = text.matchAll(/^nv_model_load_duration_secs\{model="(\w+)",version="1"\} (\S+)$/gm);
      return new Map([...lines].map(([, model, value]) => [model, Number(value)]));
    };
    const loaded = await seconds();
    expect(loaded.size).toBe(5);
    // A timer may ring a millisecond early.
    expect(loaded.get('tensorrt_llm')).toBeGreaterThan((LOAD_MS - 2) / 1000);
    expect(loaded.get('tensorrt_llm')).toBeLessThan(60);
    expect(loaded.get('ensemble')).toBeLessThan(loaded.get('tensorrt_llm')!);
    await server.server.context.repository.unload('tensorrt_llm_bls', false);
    expect((await seconds()).has('tensorrt_llm_bls')).toBe(false);
  } finally {
    await server.close();
  }
});
