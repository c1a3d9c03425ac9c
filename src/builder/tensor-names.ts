/** Names of tensors that a checkpoint lacks or has too many, as a person reads them, with the likely cause. Pure. */

/** Tensors that hold no weights: some savers write them, and nothing is lost without them. */
const WITHOUT_WEIGHTS = /(^|\.)(inv_freq|masked_bias|attn\.bias|causal_mask|position_ids)$/;

/** All names, those that differ in numbers of layers and experts once: `model.layers.*.mlp.up_proj.weight (32 times)`. */
export function listedNames(names: readonly string[]): string {
  const counts = new Map<string, string[]>();
  for (const name of names) {
    const pattern = name.replaceAll(/(?<=^|\.)\d+(?=\.)/g, '*');
    counts.set(pattern, [...(counts.get(pattern) ?? []), name]);
  }
  return Array.from(counts, ([pattern, same]) =>
    same.length === 1 ? same[0]! : `${pattern} (${same.length} times)`,
  ).join(', ');
}

/** Names of a checkpoint that no weight is made of and that may mean something. */
export function unusedNames(present: readonly string[], needed: ReadonlySet<string>): string[] {
  return present.filter((name) => !needed.has(name) && !WITHOUT_WEIGHTS.test(name));
}

/** Signs of a cause in the names that are there, the surest first. */
const CAUSES: readonly (readonly [sign: RegExp, cause: string])[] = [
  [/\.lora_[AB]\./, 'this is a LoRA adapter: merge it into its base model and save that'],
  [
    /\.(qweight|qzeros|weight_scale)$/,
    "its weights are quantised already: add the 'quantization_config' that says how to config.json, or take the float16 or bfloat16 checkpoint",
  ],
  [
    /\.(weight_packed|weight_scale_inv)$/,
    'its weights are quantised already: take the float16 or bfloat16 checkpoint, or one of AWQ, GPTQ or FP8 with a scale for each channel',
  ],
  [
    /^_orig_mod\./,
    "it was saved from a compiled model, so its names begin with '_orig_mod.': save the model itself",
  ],
  [
    /^module\./,
    "it was saved from a parallel wrapper, so its names begin with 'module.': save what it wraps",
  ],
  [
    /^base_model\.model\./,
    "it was saved through PEFT, so its names begin with 'base_model.model.': save the base model",
  ],
  [
    /(^|\.)language_model\./,
    'it is a model for images and text: only text models are supported, save its language model',
  ],
  [
    /^(layers|embed_tokens|encoder|h)\./,
    "it was saved as a base model without its head: save the model with its head, or build it with '--task embed'",
  ],
];

/** A clause on why tensors are missing. @param present names that the checkpoint has @param missing names that it lacks */
export function causeOfMissing(present: readonly string[], missing: readonly string[]): string {
  const found = CAUSES.find(([sign]) => present.some((name) => sign.test(name)));
  if (found !== undefined) return found[1];
  if (missing.every((name) => /^(lm_head|transformer\.output_layer)\./.test(name)))
    return "the head may be the embedding: set 'tie_word_embeddings' to true in config.json";
  return 'config.json may belong to another model, or the download is not complete';
}

/** A clause on why tensors are left over. */
export function causeOfUnused(unused: readonly string[]): string {
  if (unused.every((name) => name.endsWith('.bias')))
    return "the model has biases that config.json does not mention ('attention_bias', 'mlp_bias')";
  return 'config.json may name another architecture or fewer layers than the model has';
}
