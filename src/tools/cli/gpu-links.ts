/** Text on the links between GPUs, for `aloft devices`. */
import type { LinkSurvey, PairLink } from '../../device/cuda/gpu-links.js';
import type { CommonAncestor, GpuPath } from '../../device/cuda/nvml.js';
import { formatTable } from './terminal.js';

const PCIE_TEXTS: Readonly<Record<CommonAncestor, string>> = {
  board: 'PCIe on one board',
  switch: 'PCIe through one switch',
  switches: 'PCIe through several switches',
  'host bridge': 'PCIe through one host bridge',
  'NUMA node': 'PCIe within a NUMA node',
  system: 'PCIe between NUMA nodes',
};

/** A table of the pairs of GPUs, those with equal links in one row, and what follows for ranks. Nothing for one GPU. */
export function linksText({ pairs, nvml, nccl, notes }: LinkSurvey): string[] {
  if (pairs.length === 0) return [...notes];
  const rows = new Map<string, { readonly cells: readonly string[]; readonly names: string[] }>();
  for (const pair of pairs) {
    const cells = [pathText(pair.path), pair.hasAtomics ? 'yes' : 'no', wayText(pair, nccl)];
    const row = rows.get(cells.join()) ?? { cells, names: [] };
    row.names.push(pair.gpus.join('-'));
    rows.set(cells.join(), row);
  }
  const header = ['GPUs', 'link', 'atomics', 'ranks on them exchange over'];
  const table = formatTable([
    header,
    ...Array.from(rows.values(), ({ cells, names }) => [names.join(' '), ...cells]),
  ]);
  const source = nvml === undefined ? [] : [`Links are those that NVML ${nvml} knows.`];
  return [table, rankText(pairs), ...source, ...notes];
}

function pathText(path: GpuPath | undefined): string {
  if (path === undefined) return 'not known';
  if (path.type === 'pcie') return PCIE_TEXTS[path.ancestor];
  const links = path.linkCount === 1 ? '1 link' : `${path.linkCount} links`;
  return `NVLink, ${links}${path.isThroughSwitch ? ' to a switch' : ''}`;
}

function wayText({ reachesMemory }: PairLink, nccl: string | undefined): string {
  if (reachesMemory) return "each other's memory";
  return nccl === undefined ? 'NCCL, which is missing' : `NCCL ${nccl}`;
}

function rankText(pairs: readonly PairLink[]): string {
  const proof = 'if that proves to work when an engine opens, and over NCCL if not';
  return pairs.every(({ reachesMemory }) => reachesMemory)
    ? `Ranks exchange over each other's memory ${proof}.`
    : `Ranks exchange over each other's memory ${proof}; all of them take NCCL where two of their GPUs need it.`;
}
