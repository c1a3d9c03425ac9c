/** Name of a buffer of activations. */
export type BufferName = string;
/** Name of a weight in the engine, TensorRT-LLM style: `layers.0.attention.qkv.weight`. */
export type WeightName = string;
