/** Answers under constraints are always valid: a part of `bench/constraints/always-valid.mjs`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { LLM } from '../llm/llm.js';
import { buildDemo } from '../tools/cli/testing/command-line.js';
import { answerCases, CONSTRAINT_CASES } from './constraint-cases.js';
import { buildRandomDemo } from './random-demo.js';

const folder = mkdtempSync(join(tmpdir(), 'aloft-always-valid-test-'));
const LIMITS = ['--max_batch_size', '16'];
/** Every so many of the cases. */
const STEP = 5;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function buildDemoEngine(): Promise<string> {
  const engine = join(folder, 'demo');
  await buildDemo(engine, ...LIMITS);
  return engine;
}

test.each([
  ['random weights', () => buildRandomDemo(folder, ...LIMITS), 4],
  ['the demo model', buildDemoEngine, 0],
])('of %s', async (_, build, endBias) => {
  await using llm = await LLM.load(await build());
  const cases = CONSTRAINT_CASES.filter((_one, index) => index % STEP === 0);
  const tally = await answerCases(llm, cases, { maxOutputTokens: 48, parallel: 16, endBias, seed: 7 });
  expect(tally.wrong).toEqual([]);
  expect(tally.ended + tally.cut).toBe(cases.length);
  expect(tally.ended).toBeGreaterThan(cases.length / 5);
});
