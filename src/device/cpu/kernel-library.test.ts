import { describe, expect, it } from 'vitest';
import { distinctCores } from './physical-cores.js';
import { levelsUpTo } from './isa.js';
import { createCpuPool, detectIsa, openKernelLibrary } from './kernel-library.js';

describe('kernel library', () => {
  it('says how to get a library that is missing', () => {
    expect(() => openKernelLibrary('/nowhere/libaloft-cpu.so')).toThrowError(
      /not built, as where no C\+\+20 compiler .* build it with 'node (.*)'\.$/,
    );
  });

  it('refuses impossible pools', () => {
    expect(() => createCpuPool({ threadCount: 0 })).toThrowError(/1 to 1024, not 0/);
    expect(() => createCpuPool({ threadCount: 1.5 })).toThrowError(/not 1.5/);
  });

  it('gives a pool the level that was asked for', () => {
    for (const isa of levelsUpTo(detectIsa(openKernelLibrary()))) {
      const pool = createCpuPool({ threadCount: 1, isa });
      const level = pool.library.bind('int aloft_pool_isa(uint64_t pool)');
      expect([pool.isa, level(pool.handle)]).toEqual([isa, levelsUpTo(isa).length - 1]);
      pool.dispose();
    }
  });
});

describe('thread pool', () => {
  it.each([1, 2, 3, 8])('runs every round on all of %i threads', (threadCount) => {
    const pool = createCpuPool({ threadCount });
    const latency = pool.library.bind('double aloft_pool_latency(uint64_t pool, int rounds)');
    expect(latency(pool.handle, 500)).toBeGreaterThan(0);
    pool.dispose();
  });

  it('wakes threads that fell asleep', async () => {
    const pool = createCpuPool({ threadCount: 2 });
    const latency = pool.library.bind('double aloft_pool_latency(uint64_t pool, int rounds)');
    for (let i = 0; i < 20; i++) {
      expect(latency(pool.handle, 1)).toBeGreaterThan(0);
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
    pool.dispose();
    expect(pool.handle).toBe(0);
    pool.dispose();
  });
});

describe('physical cores', () => {
  const status = 'Name:\tnode\nCpus_allowed_list:\t0-3,8\n';

  it('counts hyper-thread siblings once', () => {
    const siblings: Record<number, string> = { 0: '0,2\n', 1: '1,3\n', 2: '0,2\n', 3: '1,3\n', 8: '8,10\n' };
    expect(distinctCores(status, (cpu) => siblings[cpu])).toBe(3);
  });

  it('takes each CPU for a core where the topology is hidden', () => {
    expect(distinctCores(status, () => undefined)).toBe(5);
    expect(distinctCores(undefined, () => undefined)).toBeUndefined();
  });
});
