/** `aloft build`: a Hugging Face checkpoint (or random weights) -> an engine directory. */
import type { Command } from 'commander';
import type { BuildReport } from '../../builder/build-report.js';
import { buildEngine, type BuildProgress } from '../../builder/builder.js';
import type { Checkpoint } from '../../builder/checkpoint/checkpoint.js';
import { openCheckpoint } from '../../builder/checkpoint/open.js';
import type { GivenFlags } from '../../builder/flag-reader.js';
import { randomCheckpoint } from '../../builder/random-weights/random-checkpoint.js';
import { type BuildSource, resolveBuildOptions } from '../../builder/resolve-options.js';
import { type Log, LOG_LEVELS, type LogLevel } from '../../core/log.js';
import { addBuildFlags, addOriginalFlags, givenFlags, withModelPath } from './build-options.js';
import { type BuildPlace, openBuildTarget, DEVICE_CHOICES } from './build-target.js';
import { oneOf } from './flags.js';
import { interruptible } from './interrupt.js';
import { type Progress, startProgress } from './progress.js';
import { localModel } from './pull.js';
import { formatBytes, formatTable, type Terminal } from './terminal.js';
import { terminalLog } from './terminal-log.js';

interface CommonFlags extends BuildPlace {
  readonly logLevel: LogLevel;
}

export function registerBuild(command: Command, terminal: Terminal): void {
  addBuildFlags(command);
  command
    .optionsGroup('Device:')
    .option(
      '--device <device>',
      `what the engine is for: ${DEVICE_CHOICES.join(', ')}`,
      oneOf(DEVICE_CHOICES),
      'auto',
    )
    .option(
      '--arch <architecture>',
      'GPU architecture to build for, such as sm_90a; needs no GPU (default: that of the GPU here)',
    )
    .option('--no-tune', 'do not time kernel configurations on the GPU')
    .option('--cuda-library-path <folders>', 'where CUDA libraries lie, separated by colons')
    .optionsGroup('Printing:')
    .option('--log-level <level>', LOG_LEVELS.join(', '), oneOf(LOG_LEVELS), 'info');
  addOriginalFlags(command);
  command.action(async (values: Record<string, unknown> & CommonFlags) => {
    const log = terminalLog(values.logLevel, terminal);
    const given = await withModelPath(givenFlags(command, values), (source) => localModel(source, terminal));
    await runBuild(given, values, log, terminal);
  });
}

/** Builds and prints the report. Shared with commands that need an engine first. Ctrl-C leaves nothing behind. */
export async function runBuild(
  given: GivenFlags,
  place: BuildPlace,
  log: Log,
  terminal: Terminal,
): Promise<BuildReport> {
  const { source, options, notes, warnings } = resolveBuildOptions(given);
  for (const note of notes) log.info(note);
  for (const warning of warnings) log.warning(warning);
  const checkpoint = openSource(source);
  const target = openBuildTarget(place, options.precision, log);
  const progress = buildProgress(terminal);
  try {
    const report = await interruptible((signal) =>
      buildEngine(checkpoint, target, options, { log, onProgress: progress.update, signal }),
    );
    progress.stop();
    terminal.err(`${reportTable(report)}\n`);
    return report;
  } finally {
    progress.stop();
    target.dispose();
    checkpoint.tensors.dispose();
  }
}

function openSource(source: BuildSource): Checkpoint {
  return source.type === 'checkpoint'
    ? openCheckpoint(source.directory)
    : randomCheckpoint(source.shape, source.seed);
}

/** Bytes and quantisation error by part, then time and memory. */
function reportTable({ directory, parts, seconds, peakAnonymousBytes }: BuildReport): string {
  const rows = parts.map(({ part, bytes, relativeError }) => [
    part,
    formatBytes(bytes),
    relativeError === 0 ? 'exact' : `${(relativeError * 100).toFixed(3)}%`,
  ]);
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    formatTable([['part', 'bytes', 'error'], ...rows, ['total', formatBytes(total), '']]),
    `Engine ${directory} built in ${seconds.toFixed(1)} s; peak memory ${formatBytes(peakAnonymousBytes)}.`,
  ].join('\n');
}

interface ProgressDisplay {
  readonly update: (progress: BuildProgress) => void;
  readonly stop: () => void;
}

/** Shows layers from the first that is packed: before it, nobody knows how many there are. */
function buildProgress(terminal: Terminal): ProgressDisplay {
  let shown: Progress | undefined;
  return {
    update({ weight, layersDone, layerCount }) {
      shown ??= startProgress(terminal, { name: 'build', total: layerCount, unit: 'layers' });
      shown.update(layersDone, weight);
    },
    stop: () => shown?.stop(),
  };
}
