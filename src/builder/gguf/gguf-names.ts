/** Names of tensors in GGUF files and in the checkpoints that they are made from. Pure. */

const WHOLE: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
};

const OF_LAYERS: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** The norm before the feed-forward network has the name of one after attention where there is no such one. */
const NORMS = { ffn_norm: 'post_attention_layernorm' } as const;
const GEMMA_NORMS = {
  ffn_norm: 'pre_feedforward_layernorm',
  post_attention_norm: 'post_attention_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
} as const;

/** The published name of a tensor; its own where none is known. @param isGemma its layers have norms after each block, too */
export function publishedName(name: string, isGemma: boolean): string {
  const [, layer, part, ending] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (part === undefined) return name;
  const norms: Readonly<Record<string, string>> = isGemma ? GEMMA_NORMS : NORMS;
  const known = layer === undefined ? WHOLE[part] : (OF_LAYERS[part] ?? norms[part]);
  if (known === undefined) return name;
  return layer === undefined ? `${known}.${ending}` : `model.layers.${layer}.${known}.${ending}`;
}
