/** Starts a process for each rank, has them make exchanges, and collects what they report. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CollectivesWay } from '../../core/engine-options.js';
import { compileUnits, kernelUnits } from '../../builder/cuda/kernel-sources.js';
import { RankGroup, rankGroupBytes } from '../../device/cpu/rank-group.js';
import { openDriver } from '../../device/cuda/driver.js';
import { readProperties } from '../../device/cuda/gpu.js';
import { openNvrtc } from '../../device/cuda/nvrtc.js';
import { createSharedMemory } from '../../ffi/shared-memory.js';
import { exchangePlan, type ExchangeReport, type ExchangeSetup, type ExchangeWork } from './exchange-rank.js';

const PROCESS = fileURLToPath(new URL('./exchange-process.js', import.meta.url));
const PATIENCE_MS = 20_000;

export interface ExchangeRun {
  readonly patienceMs?: number;
  /** Whether each rank has a GPU of its own. Default: all share GPU 0. */
  readonly hasOwnGpus?: boolean;
  readonly collectives?: CollectivesWay;
}

/** Machine code of the kernels for so many ranks, for GPU 0. */
export function commonFor(rankCount: number): Uint8Array {
  const target = readProperties(openDriver(), 0);
  const requests = kernelUnits(exchangePlan(0, rankCount), target, 16).filter(
    ({ name }) => name === 'common',
  );
  return compileUnits(openNvrtc(), requests).get('common')!.cubin;
}

/** @param works of the ranks, in order */
export async function runExchanges(
  common: Uint8Array,
  works: readonly ExchangeWork[],
  { patienceMs = PATIENCE_MS, hasOwnGpus = false, collectives }: ExchangeRun = {},
): Promise<ExchangeReport[]> {
  const rankCount = works.length;
  const memory = createSharedMemory('aloft-test', rankGroupBytes(rankCount));
  const group = new RankGroup(memory.area.address, { rank: 0, rankCount });
  const processes = works.map((_, rank) => {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc', memory.descriptor] as const;
    const started = fork(PROCESS, [], { stdio: [...stdio], serialization: 'advanced', execArgv: [] });
    group.register(rank, started.pid!);
    return started;
  });
  const reports = processes.map((started, rank) => {
    const gpu = hasOwnGpus ? rank : 0;
    const setup: ExchangeSetup = {
      rank,
      rankCount,
      patienceMs,
      gpu,
      collectives,
      common,
      work: works[rank]!,
    };
    started.send(setup);
    return new Promise<ExchangeReport>((resolve) => {
      started.once('message', (report) => resolve(report as ExchangeReport));
      started.once('exit', (status, signal) =>
        resolve({ fault: { code: 'RANK_DIED', message: `rank ${rank} ended: ${status ?? signal}` } }),
      );
    });
  });
  const all = await Promise.all(reports);
  for (const started of processes) started.kill('SIGKILL');
  group.dispose();
  memory.dispose();
  return all;
}
