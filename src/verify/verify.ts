/** An engine against the checkpoint that it was built from: hidden states layer by layer, logits, and perplexity. */
import type { Checkpoint } from '../builder/checkpoint/checkpoint.js';
import { definePlans } from '../builder/plans.js';
import { resolveBuildOptions } from '../builder/resolve-options.js';
import { AloftError } from '../core/errors.js';
import type { Matrix } from '../ops/matrix.js';
import { type Plan, resultColumns } from '../plan/plan.js';
import type { OpenExecutorOptions } from '../run/executor/opening/open-options.js';
import { openRank } from '../run/executor/opening/open-rank.js';
import { readManifest } from '../engine/manifest.js';
import { perplexity, pick, relativeDifference, sameTopCount } from './compare.js';
import { runEngine } from './engine-run.js';
import { runReference } from './reference-run.js';
import { toleranceAfter } from './tolerance.js';

export interface Difference {
  /** Relative, of the root mean squares; null where the engine computed no finite number. */
  readonly difference: number | null;
  readonly tolerance: number;
  readonly isWithin: boolean;
}

interface TextComparison {
  /** Tokens at which both find the same one most likely. */
  readonly sameTopCount: number;
  readonly perplexity: { readonly engine: number; readonly checkpoint: number };
}

export interface EngineComparison {
  readonly engine: string;
  readonly checkpoint: string;
  readonly tokenCount: number;
  /** Hidden states after each layer, through final norm and head. */
  readonly layers: readonly Difference[];
  /** After the last layer, at every token. */
  readonly logits: Difference;
  /** Facts about the tokens that follow; null for engines that embed. */
  readonly text: TextComparison | null;
  /** First layer beyond its tolerance, counted from 0; null where all are within. */
  readonly firstWrongLayer: number | null;
}

export interface VerifyRequest {
  readonly options: OpenExecutorOptions;
  readonly checkpoint: Checkpoint;
  readonly tokenIds: readonly number[];
  /** Called before the first layer and after each one, with the share that is done. What it throws ends the work. */
  readonly onProgress: (doneCount: number, totalCount: number) => void;
}

/** @throws {AloftError} of the readers and the executor, CHECK_FAILED when the checkpoint is of another shape */
export async function verify({
  options,
  checkpoint,
  tokenIds,
  onProgress,
}: VerifyRequest): Promise<EngineComparison> {
  const plan = planOf(options);
  const definition = definitionOf(checkpoint, options.engineDirectory);
  requireSameShape(plan, definition, options, checkpoint);
  const { layerCount } = plan.dims;
  const probes = [...new Set([tokenIds.length >> 1, tokenIds.length - 1])];
  let doneCount = 0;
  const count = (): void => onProgress(doneCount++, 2 * layerCount);
  count();
  const expected = await runReference({ plan: definition, checkpoint, tokenIds, probes, onLayer: count });
  const everywhere = [...tokenIds.keys()];
  const wanted = (matrix: Matrix): Matrix =>
    pick(matrix, [...Array(matrix.rowCount).keys()], resultColumns(plan));
  const compare = (found: Matrix, matrix: Matrix, layer: number): Difference =>
    judge(relativeDifference(found, wanted(matrix)), toleranceAfter(layer, plan));
  const layers: Difference[] = [];
  for (const [layer, matrix] of expected.layers.slice(0, -1).entries()) {
    const found = await runEngine({
      options: { ...options, layerCount: layer + 1 },
      tokenIds,
      wanted: probes,
    });
    layers.push(compare(found, matrix, layer));
    count();
  }
  const logits = await runEngine({ options, tokenIds, wanted: everywhere });
  layers.push(compare(pick(logits, probes), expected.layers.at(-1)!, layerCount - 1));
  const firstWrong = layers.findIndex(({ isWithin }) => !isWithin);
  const reference = wanted(expected.logits);
  return {
    engine: options.engineDirectory,
    checkpoint: checkpoint.origin,
    tokenCount: tokenIds.length,
    layers,
    logits: compare(logits, expected.logits, layerCount - 1),
    text: plan.results === 'hiddenStates' ? null : compareText(logits, reference, tokenIds),
    firstWrongLayer: firstWrong < 0 ? null : firstWrong,
  };
}

function compareText(logits: Matrix, reference: Matrix, tokenIds: readonly number[]): TextComparison {
  return {
    sameTopCount: sameTopCount(logits, reference),
    perplexity: { engine: perplexity(logits, tokenIds), checkpoint: perplexity(reference, tokenIds) },
  };
}

function judge(difference: number, tolerance: number): Difference {
  const isFinite = Number.isFinite(difference);
  return {
    difference: isFinite ? difference : null,
    tolerance,
    isWithin: isFinite && difference <= tolerance,
  };
}

/** The plan of the engine's first rank. */
function planOf({ engineDirectory }: OpenExecutorOptions): Plan {
  const { tensor_parallel: worldSize } = readManifest(engineDirectory).builder_config;
  const engine = openRank({ engineDirectory, worldSize });
  engine.dispose();
  return engine.plan;
}

/** The checkpoint's plan in f32, before any pass, with what follows from the engine's limits. */
function definitionOf({ origin, config }: Checkpoint, engineDirectory: string): Plan {
  const { builder_config, aloft } = readManifest(engineDirectory);
  const { max_input_len, max_output_len } = builder_config;
  const { options } = resolveBuildOptions(
    new Map([
      ['model_dir', origin],
      ['output_dir', engineDirectory],
      ['dtype', 'float32'],
      ['max_input_len', String(max_input_len)],
      ['max_output_len', String(max_output_len)],
      ...(aloft.embedding === undefined ? [] : [['task', 'embed'] as const]),
    ]),
  );
  return definePlans(config, options).definition;
}

function requireSameShape(
  engine: Plan,
  definition: Plan,
  { engineDirectory }: OpenExecutorOptions,
  { origin }: Checkpoint,
): void {
  const shapeOf = ({ architecture, dims }: Plan): string =>
    `${architecture} of ${dims.layerCount} layers, hidden ${dims.hidden}, vocabulary ${dims.vocabulary}`;
  if (shapeOf(engine) === shapeOf(definition)) return;
  throw new AloftError(
    'CHECK_FAILED',
    `${engineDirectory} is ${shapeOf(engine)}, but ${origin} is ${shapeOf(definition)}; name the checkpoint that it was built from.`,
  );
}
