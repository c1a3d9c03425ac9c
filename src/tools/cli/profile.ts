/** `aloft profile`: where the time of a step goes, op by op. */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { TimedCall } from '../../run/executor/opening/timed-call.js';
import { openProfiled, type ProfiledEngine } from '../../run/executor/profile/open-profiled.js';
import { openExecutor } from '../../run/ranks/open-engine.js';
import { parseBatchSizes, parseLengths, type SweepCase } from '../bench/sweep.js';
import { chromeTrace } from '../profile/chrome-trace.js';
import { summarise, summaryTable } from '../profile/op-summary.js';
import { type ProfiledStep, profileSteps } from '../profile/profile-steps.js';
import { addEngineFlags, type EngineFlags, engineOptions } from './engine-flags.js';
import type { Terminal } from './terminal.js';
import { elementOf } from '../../plan/weight-format.js';

interface ProfileFlags extends EngineFlags {
  readonly batchSize: string;
  readonly inputOutputLen: string;
  readonly output?: string;
}

export function registerProfile(command: Command, terminal: Terminal): void {
  command
    .option('--batch-size <list>', 'batch sizes, "1;16"', '1')
    .option('--input-output-len <list>', 'pairs of lengths, "128,16;2048,16"', '128,16')
    .option('--output <file>', 'also write all calls as a trace for chrome://tracing or ui.perfetto.dev');
  addEngineFlags(command);
  command.action(async (flags: ProfileFlags) => runProfile(flags, terminal));
}

async function runProfile(flags: ProfileFlags, terminal: Terminal): Promise<void> {
  const cases = parseLengths(flags.inputOutputLen).flatMap((lengths) =>
    parseBatchSizes(flags.batchSize).map((batch) => ({ batch, ...lengths })),
  );
  let calls: TimedCall[] = [];
  const takeCalls = (): readonly TimedCall[] => {
    const taken = calls;
    calls = [];
    return taken;
  };
  const engine = await openProfiled(
    { ...engineOptions(flags), engineDirectory: flags.engineDir },
    (call) => calls.push(call),
    openExecutor,
  );
  try {
    terminal.out(`${limitsLine(engine)}\n`);
    const all: ProfiledStep[] = [];
    for (const one of cases) {
      const steps = await profileSteps({ executor: engine.executor, takeCalls }, one);
      terminal.out(`\n${caseText(one, steps, engine)}\n`);
      all.push(...steps);
    }
    if (flags.output === undefined) return;
    writeFileSync(flags.output, `${JSON.stringify(chromeTrace(all, engine.model))}\n`);
    terminal.out(`\nWrote ${flags.output}.\n`);
  } finally {
    await engine.executor.dispose();
  }
}

function limitsLine({ executor, rates, model: { plan } }: ProfiledEngine): string {
  const { readGBps, peakGflops } = rates;
  const elements = Object.values(plan.weights).map(({ format }) => elementOf(format));
  const peaks = [...new Set(elements)].map(
    (element) => `${(peakGflops(element) / 1000).toFixed(2)} TFLOP/s for ${element} weights`,
  );
  const where = executor.deviceName ?? 'this CPU';
  return `Measured limits of ${where}: reading ${readGBps.toFixed(1)} GB/s, ${peaks.join(', ')}.`;
}

function caseText(
  { batch, inputTokens, outputTokens }: SweepCase,
  steps: readonly ProfiledStep[],
  { model, rates }: ProfiledEngine,
): string {
  const tables = (['prefill', 'decode'] as const).flatMap((phase) => {
    const own = steps.filter((step) => step.phase === phase);
    return own.length === 0 ? [] : [summaryTable(phase, own, summarise(own, model, rates))];
  });
  return [`batch ${batch}, ${inputTokens} + ${outputTokens} tokens`, ...tables].join('\n\n');
}
