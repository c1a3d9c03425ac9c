/** Resources that the compiler gave each kernel, read from ptxas's report (`--ptxas-options=-v`). */
export interface CompiledResources {
  readonly registerCount: number;
  /** Static shared memory. */
  readonly sharedBytes: number;
  /** Registers stored to and loaded from memory because there were too few; 0 is what we want. */
  readonly spillBytes: number;
}

const ENTRY = /Compiling entry function '([^']+)'/;
const SPILLS = /(\d+) bytes spill stores, (\d+) bytes spill loads/;
const USED = /Used (\d+) registers(?:.*?(\d+) bytes smem)?/;

/** @returns resources by the kernel's name */
export function parseResourceReport(log: string): Record<string, CompiledResources> {
  const resources: Record<string, CompiledResources> = {};
  let [kernel, spillBytes] = ['', 0];
  for (const line of log.split('\n')) {
    kernel = ENTRY.exec(line)?.[1] ?? kernel;
    const spills = SPILLS.exec(line);
    if (spills !== null) spillBytes = Number(spills[1]) + Number(spills[2]);
    const used = USED.exec(line);
    if (used !== null && kernel !== '')
      resources[kernel] = {
        registerCount: Number(used[1]),
        sharedBytes: Number(used[2] ?? 0),
        spillBytes,
      };
  }
  return resources;
}
