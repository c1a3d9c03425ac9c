/** Parameters of responses: those of a sequence, and the seed of a request that wants to know it. */
import { AloftError } from '../../core/errors.js';
import type { InferRequest, Parameters, ParameterValue } from '../../protocol/kserve/infer.js';
import type { ServedModel } from '../repository/served-model.js';
import type { RowFacts } from '../tensors/tensor-response.js';

/**
 * Request parameter: answers then have `random_seed`, with which the same request gives the same answer again. By default they
 * have not, since clients may know all members of an answer.
 */
const RETURN_SEED = 'return_random_seed';
const SEED = 'random_seed';

/** Responses of an ensemble carry the parameters of a sequence, as Triton's do. */
const SEQUENCE_PARAMETERS: Parameters = { sequence_end: false, sequence_id: 0, sequence_start: false };
const NO_PARAMETERS: Parameters = {};

export function fixedParameters({ kind }: ServedModel): Parameters {
  return kind === 'ensemble' ? SEQUENCE_PARAMETERS : NO_PARAMETERS;
}

/**
 * The parameters of each response by the rows that it answers; equal ones are one object, which encoders encode once.
 * @throws {AloftError} REQUEST_INVALID
 */
export function responseParameters(
  model: ServedModel,
  { parameters }: InferRequest,
): (rows: readonly RowFacts[]) => Parameters {
  const fixed = fixedParameters(model);
  const wanted = parameters[RETURN_SEED] ?? false;
  if (typeof wanted !== 'boolean') {
    const message = `Request parameter '${RETURN_SEED}' is ${JSON.stringify(String(wanted))}, but must be true or false.`;
    throw new AloftError('REQUEST_INVALID', message);
  }
  if (!wanted) return () => fixed;
  const byRow = new Map<RowFacts['seed'], Parameters>();
  return (rows) => {
    const [only] = rows;
    if (rows.length !== 1) return { ...fixed, [SEED]: rows.map(({ seed }) => seed).join(',') };
    let known = byRow.get(only!.seed);
    if (known === undefined) byRow.set(only!.seed, (known = { ...fixed, ...seedParameter(only!.seed) }));
    return known;
  };
}

/** A number where every client reads it exactly, else its decimal digits. */
function seedParameter(seed: bigint | undefined): Record<string, ParameterValue> {
  if (seed === undefined) return {};
  return { [SEED]: seed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seed) : String(seed) };
}
