import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type LinkSurvey, surveyLinks } from './gpu-links.js';
import { surveyCuda } from './survey.js';
import { compileStandIn, DRIVER_STAND_IN, type LinksStandIn, nvmlStandIn } from './testing/stand-ins.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** The survey of three GPUs, with NVML or without it. */
function survey(links: LinksStandIn | undefined): LinkSurvey {
  const folder = mkdtempSync(join(tmpdir(), 'aloft-links-'));
  folders.push(folder);
  compileStandIn(folder, 'libcuda.so.1', DRIVER_STAND_IN);
  if (links !== undefined) compileStandIn(folder, 'libnvidia-ml.so.1', nvmlStandIn(links));
  const { gpus } = surveyCuda(folder);
  expect(gpus).toHaveLength(3);
  return surveyLinks(gpus, folder);
}

const NONE: LinksStandIn = { direct: 0, toSwitch: [0, 0, 0], isSwitchSetUp: true, level: 50 };
const SYSTEM = { type: 'pcie', ancestor: 'system' };
const pathsOf = ({ pairs }: LinkSurvey) => pairs.map(({ path }) => path);

test('what the driver says of each pair, and that NCCL is needed where one GPU is apart', () => {
  const { pairs, nvml, notes } = survey(NONE);
  expect(nvml).toBe('13.1.2');
  expect(pairs).toEqual([
    { gpus: [0, 1], reachesMemory: true, hasAtomics: true, performanceRank: 0, path: SYSTEM },
    { gpus: [0, 2], reachesMemory: false, hasAtomics: false, performanceRank: 1, path: SYSTEM },
    { gpus: [1, 2], reachesMemory: false, hasAtomics: false, performanceRank: 1, path: SYSTEM },
  ]);
  for (const note of notes) expect(note).toMatch(/^No usable libnccl\.so\.2/);
});

test('links from GPU to GPU', () => {
  const links = { type: 'nvlink', linkCount: 4, isThroughSwitch: false };
  const near = { type: 'pcie', ancestor: 'host bridge' };
  expect(pathsOf(survey({ ...NONE, direct: 4, level: 30 }))).toEqual([links, near, near]);
});

test('links to a switch, of which the GPU with fewer decides, if the switch is set up', () => {
  const toSwitch = [18, 18, 12] as const;
  const links = (linkCount: number) => ({ type: 'nvlink', linkCount, isThroughSwitch: true });
  expect(pathsOf(survey({ ...NONE, toSwitch }))).toEqual([links(18), links(12), links(12)]);
  expect(pathsOf(survey({ ...NONE, toSwitch, isSwitchSetUp: false }))).toEqual([SYSTEM, SYSTEM, SYSTEM]);
  expect(pathsOf(survey({ ...NONE, toSwitch: [18, 0, 18] }))).toEqual([SYSTEM, links(18), SYSTEM]);
});

test('NVML says nothing about a level that it does not name', () => {
  expect(pathsOf(survey({ ...NONE, level: 45 }))).toEqual([undefined, undefined, undefined]);
});

test('without NVML the driver alone is asked, and the survey says so', () => {
  const found = survey(undefined);
  // A machine with a GPU has the library, which does not know the stand-in's.
  expect(pathsOf(found)).toEqual([undefined, undefined, undefined]);
  expect(found.pairs.map(({ reachesMemory }) => reachesMemory)).toEqual([true, false, false]);
  const hasNote = found.notes.some((note) => note.startsWith('No usable libnvidia-ml.so.1'));
  expect(hasNote).toBe(found.nvml === undefined);
});

test('without a pair nothing is asked', () => {
  const nothing = { pairs: [], nvml: undefined, nccl: undefined, notes: [] };
  expect(surveyLinks([], '/nowhere')).toEqual(nothing);
});
