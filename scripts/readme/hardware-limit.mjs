/**
 * The shortest time that a GPU allows for a batch of equal requests: the roofline of its memory and its matrix units.
 *
 *   first token  = max(FLOPs / rate, weight bytes / bandwidth)
 *   each other   = max((weight bytes + cached keys and values of all sequences) / bandwidth, FLOPs / rate)
 *
 * Every weight and every cached key and value is read once in a step, and nothing else takes time: no launch, no activation, no
 * sampling. So no engine with these types is faster.
 */

/** Peak rates from NVIDIA's data sheets of the SXM parts; the matrix rate is that of dense 16-bit products. */
export const GPUS = {
  'NVIDIA H200': { bytesPerSecond: 4.8e12, flops: 989e12 },
  'NVIDIA H100 80GB HBM3': { bytesPerSecond: 3.35e12, flops: 989e12 },
};

const LLAMA2_7B = { layers: 32, hidden: 4096, intermediate: 11008, vocabulary: 32000 };
/** Bytes of a stored weight of the layers. The head and the embedding are 16-bit in both; scales of INT8 are not counted. */
const WEIGHT_BYTES = { int8: 1, none: 2 };
const HALF_BYTES = 2;

/**
 * @param gpu one of `GPUS`
 * @param request `batch` sequences of `inputTokens` and `outputTokens`; `quantisation` of the layers: `int8` or `none`
 * @returns seconds for the whole batch of LLaMA-2-7B with a 16-bit KV cache
 */
export function leastSeconds({ bytesPerSecond, flops }, request) {
  const { batch, inputTokens, outputTokens, quantisation } = request;
  const { layers, hidden, intermediate, vocabulary } = LLAMA2_7B;
  const layerWeights = layers * (4 * hidden * hidden + 3 * hidden * intermediate);
  const headWeights = vocabulary * hidden;
  const weightBytes = layerWeights * WEIGHT_BYTES[quantisation] + headWeights * HALF_BYTES;
  const cacheBytes = 2 * layers * hidden * HALF_BYTES; // a key and a value of each layer, for one token

  // Causal attention: a token attends to half of the prompt on average, in two products.
  const promptAttention = 2 * inputTokens * inputTokens * hidden * layers;
  const promptFlops = 2 * layerWeights * inputTokens + 2 * headWeights + promptAttention;
  let seconds = Math.max((batch * promptFlops) / flops, weightBytes / bytesPerSecond);
  for (let step = 1; step < outputTokens; step++) {
    const context = inputTokens + step;
    const bytes = weightBytes + batch * context * cacheBytes;
    const stepFlops = batch * (2 * (layerWeights + headWeights) + 4 * context * hidden * layers);
    seconds += Math.max(bytes / bytesPerSecond, stepFlops / flops);
  }
  return seconds;
}

/** Returns true if rows of a benchmark are of the model that `leastSeconds` computes for. */
export const isLlama2 = (row) =>
  row.num_layers === LLAMA2_7B.layers &&
  row.hidden_size === LLAMA2_7B.hidden &&
  row.num_kv_heads === row.num_heads &&
  row.vocab_size === LLAMA2_7B.vocabulary &&
  row.precision === 'float16';
