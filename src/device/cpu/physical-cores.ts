import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * Physical cores that this process may run on: kernels saturate a core with one thread, so a second hardware thread of it
 * only gets in the way. Linux: the affinity mask, hyper-thread siblings counted once, at most the cgroup's CPU quota.
 */
export function physicalCoreCount(): number {
  const quota = cgroupCpuQuota();
  const cores = distinctCores(readText('/proc/self/status'), (cpu) =>
    readText(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`),
  );
  return Math.max(1, Math.min(cores ?? availableParallelism(), Math.ceil(quota)));
}

/** Cores among the allowed CPUs of a /proc status text, or undefined where it does not say. */
export function distinctCores(
  status: string | undefined,
  siblingsOf: (cpu: number) => string | undefined,
): number | undefined {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status ?? '')?.[1];
  if (list === undefined) return undefined;
  return new Set(parseCpuList(list).map((cpu) => siblingsOf(cpu)?.trim() ?? String(cpu))).size;
}

/** '0-2,8' -> [0, 1, 2, 8] */
function parseCpuList(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** CPUs' worth of time that cgroup v2 grants; Infinity without a limit. */
function cgroupCpuQuota(): number {
  const [quota, period] = (readText('/sys/fs/cgroup/cpu.max') ?? 'max').split(' ').map(Number);
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : Infinity;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not Linux, or hidden in this container
  }
}
