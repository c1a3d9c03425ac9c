/** Facts of a result that every report has. */
import type { MachineRecord } from '../bench/machine.js';
import type { FactBox } from './report.js';

export function machineFacts(heading: string, machine: MachineRecord): FactBox {
  const { cpu, coreCount, gpu, memoryBytes, node, commit, command, date } = machine;
  return {
    heading,
    rows: [
      ['Processor', `${cpu}, ${coreCount} cores`],
      ...(gpu === null ? [] : [['GPU', gpu] as const]),
      ['Memory', `${(memoryBytes / 2 ** 30).toFixed(0)} GiB`],
      ['Node.js', node],
      ['Commit', commit],
      ['Date', `${date.replace('T', ' ').slice(0, 16)} UTC`],
      ['Command', command.join(' ')],
    ],
  };
}

/** Rows of those facts that are there. */
export function knownFacts(
  heading: string,
  facts: Readonly<Record<string, string | number | undefined>>,
): FactBox {
  const rows = Object.entries(facts).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as const],
  );
  return { heading, rows };
}
