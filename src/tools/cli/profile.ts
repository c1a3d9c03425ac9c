/** `aloft profile`: where the time of a step goes, op by op. */
import type { Command } from 'commander';
import type { TimedCall } from '../../run/executor/opening/timed-call.js';
import { openProfiled, type ProfiledEngine } from '../../run/executor/profile/open-profiled.js';
import { openExecutor } from '../../run/ranks/open-engine.js';
import { parseBatchSizes, parseLengths, type SweepCase } from '../bench/sweep.js';
import { machineRecord } from '../bench/machine.js';
import { chromeTrace } from '../profile/chrome-trace.js';
import { summarise } from '../profile/op-summary.js';
import {
  EARLIER_PROFILE,
  type EarlierProfile,
  plainResult,
  type ProfiledPhase,
  profilePage,
  type ProfileResult,
  summaryTable,
} from '../profile/profile-report.js';
import { checkFits, type ProfiledStep, profileSteps } from '../profile/profile-steps.js';
import { summariseRanks } from '../profile/rank-summary.js';
import { readEarlier } from '../report/earlier-result.js';
import { htmlReport } from '../report/html.js';
import { requireWritable, writeResultFile } from '../report/result-file.js';
import { addEngineFlags, type EngineFlags, engineOptions } from './engine-flags.js';
import { startProgress } from './progress.js';
import { jsonText, type Terminal } from './terminal.js';
import { elementOf } from '../../plan/weight-format.js';

interface ProfileFlags extends EngineFlags {
  readonly batchSize: string;
  readonly inputOutputLen: string;
  readonly output?: string;
  readonly json?: string;
  readonly html?: string;
  readonly compare?: string;
}

export function registerProfile(command: Command, terminal: Terminal): void {
  command
    .option('--batch-size <list>', 'batch sizes, "1;8"', '1')
    .option('--input-output-len <list>', 'pairs of lengths, "128,16;2048,16"', '128,16')
    .option('--json <file>', 'also write the tables as JSON, with machine, commit and command')
    .option('--html <file>', 'also write a report: one page with charts and tables')
    .option('--compare <file>', 'with --html: the --json result of an earlier run, beside this one')
    .option('--output <file>', 'also write all calls as a trace for chrome://tracing or ui.perfetto.dev');
  addEngineFlags(command);
  command.action(async (flags: ProfileFlags) => runProfile(flags, terminal));
}

async function runProfile(flags: ProfileFlags, terminal: Terminal): Promise<void> {
  const cases = parseLengths(flags.inputOutputLen).flatMap((lengths) =>
    parseBatchSizes(flags.batchSize).map((batch) => ({ batch, ...lengths })),
  );
  const earlier =
    flags.compare === undefined ? undefined : readEarlier(flags.compare, EARLIER_PROFILE, 'aloft profile');
  requireWritable([flags.output, flags.json, flags.html]);
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
  const progress = startProgress(terminal, { name: 'profile', total: cases.length, unit: 'cases' });
  try {
    // All of them first: a case that fails later would take the results of those before it along.
    for (const one of cases) checkFits(engine.executor, one);
    terminal.out(`${limitsLine(engine)}\n`);
    const all: ProfiledStep[] = [];
    const phases: ProfiledPhase[] = [];
    for (const [index, one] of cases.entries()) {
      progress.update(index, caseName(one));
      const opCount = engine.model.plan.ops.length;
      const steps = await profileSteps({ executor: engine.executor, takeCalls, opCount }, one);
      const own = phasesOf(one, steps, engine);
      progress.clear();
      terminal.out(`\n${[caseName(one), ...own.map(summaryTable)].join('\n\n')}\n`);
      all.push(...steps);
      phases.push(...own);
    }
    writeResults(flags, { engine, all, phases, earlier }, terminal);
  } finally {
    progress.stop();
    await engine.executor.dispose();
  }
}

interface Profiled {
  readonly engine: ProfiledEngine;
  readonly all: readonly ProfiledStep[];
  readonly phases: readonly ProfiledPhase[];
  readonly earlier: EarlierProfile | undefined;
}

function writeResults(
  flags: ProfileFlags,
  { engine, all, phases, earlier }: Profiled,
  terminal: Terminal,
): void {
  const write = (file: string | undefined, text: () => string): void => {
    if (file === undefined) return;
    writeResultFile(file, text());
    terminal.err(`Wrote ${file}.\n`);
  };
  const result: ProfileResult = {
    machine: machineRecord(['aloft', ...process.argv.slice(2)], engine.executor.deviceName),
    limits: limitsLine(engine),
    engine: flags.engineDir,
    phases,
  };
  write(flags.output, () => `${JSON.stringify(chromeTrace(all, engine.model))}\n`);
  write(flags.json, () => jsonText(plainResult(result)));
  write(flags.html, () => htmlReport(profilePage(result, earlier)));
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

const caseName = ({ batch, inputTokens, outputTokens }: SweepCase): string =>
  `batch ${batch}, ${inputTokens} + ${outputTokens} tokens`;

function phasesOf(
  one: SweepCase,
  steps: readonly ProfiledStep[],
  { model, rates }: ProfiledEngine,
): ProfiledPhase[] {
  return (['prefill', 'decode'] as const).flatMap((phase) => {
    const own = steps.filter((step) => step.phase === phase);
    if (own.length === 0) return [];
    return [
      {
        caseName: caseName(one),
        phase,
        stepCount: own.length,
        stepMs: own.reduce((sum, { deviceMs }) => sum + deviceMs, 0),
        ops: summarise(own, model, rates),
        ranks: summariseRanks(own, model.plan),
      },
    ];
  });
}
