/** The compiled kernels of an engine as a table. Pure. */
import type { KernelFacts } from '../../device/cuda/kernel-facts.js';
import { formatTable } from '../cli/terminal.js';

/** Registers, shared memory and spills by kernel, and which configurations were measured. */
export function describeKernels({ compiler, isTuned, linear, resources }: KernelFacts): string {
  const rows = Object.entries(resources).flatMap(([unit, kernels]) =>
    Object.entries(kernels).map(([kernel, { registerCount, sharedBytes, spillBytes }]) => [
      `${unit}/${kernel}`,
      String(registerCount),
      String(sharedBytes),
      spillBytes === 0 ? '-' : String(spillBytes),
    ]),
  );
  const tuned = isTuned ? `tuned for ${Object.keys(linear).length} linear problems` : 'not tuned';
  const winners = Object.entries(linear).map(([problem, config]) => [problem, config]);
  return [
    `Kernels compiled by ${compiler}, ${tuned}:`,
    formatTable([['kernel', 'registers', 'static shared bytes', 'spilled bytes'], ...rows]),
    ...(winners.length === 0 ? [] : [formatTable([['problem', 'configuration'], ...winners])]),
  ].join('\n');
}
