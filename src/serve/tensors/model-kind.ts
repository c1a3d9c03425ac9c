/** Kind of a model, decided by its backend, parameters and tensors, never by its name. */
import type { ModelConfig } from '../../protocol/gen/model_config_pb.js';

/**
 * ensemble: the chain of the other three. bls: text in, text or an embedding out, by its own parameters.
 * engine: token ids in, token ids out.
 */
export type ModelKind = 'ensemble' | 'bls' | 'engine' | 'preprocessing' | 'postprocessing';

export function modelKind(config: ModelConfig): ModelKind | undefined {
  const inputs = new Set(config.input.map((input) => input.name));
  const outputs = new Set(config.output.map((output) => output.name));
  if (config.platform === 'ensemble' || config.schedulingChoice.case === 'ensembleScheduling')
    return 'ensemble';
  if (['tensorrtllm', 'tensorrt_llm', 'aloft'].includes(config.backend)) return 'engine';
  if (inputs.has('QUERY') && outputs.has('INPUT_ID')) return 'preprocessing';
  if (inputs.has('TOKENS_BATCH') && outputs.has('OUTPUT')) return 'postprocessing';
  if (inputs.has('text_input') && (outputs.has('text_output') || outputs.has('embedding'))) return 'bls';
  if (inputs.has('input_ids') && outputs.has('output_ids')) return 'engine';
  return undefined;
}
