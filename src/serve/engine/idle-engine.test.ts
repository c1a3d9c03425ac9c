/** Engines that give their memory back while nobody asks them anything. Time is the real one, with limits that a busy machine keeps. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { StepStats } from '../../core/batcher-stats.js';
import { AloftError } from '../../core/errors.js';
import type { GenerateEvent, GenerateRequest } from '../../core/generate.js';
import type { Log } from '../../core/log.js';
import type { EngineLoader, EngineSettings, ServableEngine } from './engine-loader.js';
import { idleLoader } from './idle-loader.js';

const IDLE_MS = 40;
const NEVER_MS = 3_600_000;
const REQUEST = { prompt: { type: 'tokens', tokenIds: [1] } } as const satisfies GenerateRequest;

/** A machine with room for some engines, and what happens on it. */
class Machine {
  readonly happened: string[] = [];
  /** Faults of the next loads. */
  readonly faults: AloftError[] = [];
  /** Requests that are answered by hand. */
  readonly held: (() => void)[] = [];
  readonly subscribers = new Set<(stats: StepStats) => void>();
  holds = false;
  loadMs = 0;
  #free: number;
  #loadingCount = 0;

  constructor(room: number) {
    this.#free = room;
  }

  readonly loader: EngineLoader = {
    load: async ({ modelName }) => {
      this.#loadingCount++;
      expect(this.#loadingCount).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, this.loadMs));
      this.#loadingCount--;
      const fault = this.faults.shift();
      if (fault !== undefined) throw fault;
      if (this.#free === 0) throw new AloftError('OUT_OF_MEMORY', `No room for ${modelName}.`);
      this.#free--;
      this.happened.push(`load ${modelName}`);
      return this.#engine(modelName);
    },
    check: async () => {},
    loadTokenizer: () => Promise.reject(new Error('unused')),
  };

  readonly log: Log = {
    info: (message) => void this.happened.push(message),
    error() {},
    warning() {},
    verbose() {},
  };

  #engine(name: string): ServableEngine {
    return {
      memory: [{ purpose: 'weights', rank: 0, kind: 'cpu', deviceId: 0, bytes: 1 }],
      maxSequenceCount: 4,
      generator: {
        start: (_: GenerateRequest, onEvent: (event: GenerateEvent) => void) => {
          const end = (): void => {
            this.happened.push(`answer of ${name}`);
            onEvent({ type: 'finished' } as GenerateEvent);
          };
          if (this.holds) this.held.push(end);
          else setImmediate(end);
          return () => {};
        },
      },
      subscribe: (listener: (stats: StepStats) => void) => {
        this.subscribers.add(listener);
        return () => this.subscribers.delete(listener);
      },
      onFailure() {},
      heartbeatAgeMs: () => 5,
      dispose: async () => {
        this.#free++;
        this.happened.push(`free ${name}`);
      },
    } as unknown as ServableEngine;
  }
}

const opened: ServableEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.dispose();
});

async function load(machine: Machine, name: string, loader: EngineLoader): Promise<ServableEngine> {
  const engine = await loader.load({ modelName: name } as EngineSettings);
  opened.push(engine);
  machine.happened.length = 0;
  return engine;
}

function ask(engine: ServableEngine): {
  readonly ended: Promise<GenerateEvent>;
  readonly cancel: () => void;
} {
  let cancel = (): void => {};
  const ended = new Promise<GenerateEvent>((resolve) => {
    cancel = engine.generator.start(REQUEST, resolve);
  });
  return { ended, cancel };
}

describe('an engine that nobody asks', () => {
  test('is unloaded, and the next request loads it again', async () => {
    const machine = new Machine(1);
    const engine = await load(machine, 'a', idleLoader(machine.loader, IDLE_MS, machine.log));
    const listener = (): void => {};
    engine.subscribe(listener);
    await vi.waitFor(() => expect(machine.happened).toContain('free a'));
    expect([engine.memory, engine.heartbeatAgeMs(), engine.maxSequenceCount]).toEqual([[], 0, 4]);
    expect(machine.subscribers.size).toBe(0);
    machine.happened.length = 0;
    expect(await ask(engine).ended).toMatchObject({ type: 'finished' });
    expect(machine.happened.slice(0, 3)).toEqual([
      'load a',
      expect.stringMatching(/^Model 'a' loaded again in [\d.]+ s\.$/),
      'answer of a',
    ]);
    expect([engine.memory.length, machine.subscribers.has(listener)]).toEqual([1, true]);
  });

  test('stays while a request runs, and for its time after it', async () => {
    const machine = new Machine(1);
    const engine = await load(machine, 'a', idleLoader(machine.loader, IDLE_MS, machine.log));
    machine.holds = true;
    const { ended } = ask(engine);
    await new Promise((resolve) => setTimeout(resolve, 5 * IDLE_MS));
    expect(machine.happened).toEqual([]);
    machine.held.shift()!();
    await ended;
    await vi.waitFor(() =>
      expect(machine.happened).toEqual([
        'answer of a',
        "Model 'a' unloaded after 0.04 s without a request; the next request loads it again.",
        'free a',
      ]),
    );
  });

  test('is asked by several at once and loaded once; one that gives up meanwhile is not answered', async () => {
    const machine = new Machine(1);
    const engine = await load(machine, 'a', idleLoader(machine.loader, IDLE_MS, machine.log));
    await vi.waitFor(() => expect(machine.happened).toContain('free a'));
    machine.happened.length = 0;
    machine.loadMs = 30;
    const requests = [ask(engine), ask(engine), ask(engine)];
    requests[1]!.cancel();
    const ends = await Promise.all(requests.map(({ ended }) => ended));
    expect(ends.map(({ type }) => type)).toEqual(['finished', 'failed', 'finished']);
    expect(ends[1]).toMatchObject({ error: { code: 'CANCELLED' } });
    expect(machine.happened.filter((one) => one.startsWith('load '))).toEqual(['load a']);
  });

  test('that cannot be loaded fails the request with the reason, and the next one tries again', async () => {
    const machine = new Machine(1);
    const engine = await load(machine, 'a', idleLoader(machine.loader, IDLE_MS, machine.log));
    await vi.waitFor(() => expect(machine.happened).toContain('free a'));
    machine.faults.push(new AloftError('ENGINE_CORRUPT', 'The file is damaged.'));
    const failed = { type: 'failed', error: { code: 'ENGINE_CORRUPT', message: 'The file is damaged.' } };
    expect(await ask(engine).ended).toMatchObject(failed);
    expect(await ask(engine).ended).toMatchObject({ type: 'finished' });
  });
});

describe('engines that do not fit beside each other', () => {
  test('take turns, and the one first that was idle longest', async () => {
    const machine = new Machine(2);
    const loader = idleLoader(machine.loader, NEVER_MS, machine.log);
    const [a, b] = [await load(machine, 'a', loader), await load(machine, 'b', loader)];
    await ask(a).ended;
    const c = await loader.load({ modelName: 'c' } as EngineSettings);
    opened.push(c);
    expect(machine.happened).toEqual([
      'answer of a',
      "Model 'b' unloaded because 'c' needs its memory; the next request loads it again.",
      'free b',
      'load c',
    ]);
    machine.happened.length = 0;
    await Promise.all([ask(b).ended, ask(c).ended]);
    expect(machine.happened.slice(0, 2)).toEqual([
      'answer of c',
      expect.stringMatching(/^Model 'a' unloaded/),
    ]);
  });

  test('are refused while all others work', async () => {
    const machine = new Machine(1);
    const loader = idleLoader(machine.loader, NEVER_MS, machine.log);
    const a = await load(machine, 'a', loader);
    machine.holds = true;
    const { ended } = ask(a);
    await expect(loader.load({ modelName: 'b' } as EngineSettings)).rejects.toThrow('No room for b.');
    machine.held.shift()!();
    await ended;
  });

  test('load one after the other', async () => {
    const machine = new Machine(2);
    machine.loadMs = 20;
    const loader = idleLoader(machine.loader, NEVER_MS, machine.log);
    const settings = ['a', 'b'].map((modelName) => ({ modelName }) as EngineSettings);
    opened.push(...(await Promise.all(settings.map((one) => loader.load(one)))));
    expect(machine.happened).toEqual(['load a', 'load b']);
  });
});
