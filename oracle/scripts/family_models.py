"""Write tiny random checkpoints of the model families, and what transformers computes from them.

Usage: family_models.py OUT_DIR [NAME...]   (writes OUT_DIR/families/NAME/; all families without names)

Each folder has config.json with the keys of published checkpoints, model.safetensors, reference.json and
logits.safetensors. The reference comes from the model as transformers reads it back from that folder, in float32.
A family that this version of transformers cannot make is reported and left out; the exit status is then 1.
"""

import copy
import json
import math
import shutil
import sys
import traceback
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from common import provenance, write_json

SEED = 31007
PROMPT_LENGTHS = (21, 34)
NEW_TOKENS = 12
# Shorter than both prompts, so that every layer with a window drops tokens.
WINDOW = 8
BASE = {"vocab_size": 96, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "attention_dropout": 0.0, "initializer_range": 0.02, "torch_dtype": "float16", "use_cache": True}
LONG = [1.0, 1.1, 1.4, 2.0, 2.9, 4.0, 5.5, 7.0]
SHORT = [1.0, 1.02, 1.05, 1.1, 1.15, 1.25, 1.35, 1.5]
# A small base, so that the pairs that yarn slows down turn by radians within the prompts.
YARN = {"rope_theta": 100.0, "max_position_embeddings": 4096}
GEMMA = {"head_dim": 24, "hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
         "attention_bias": False, "sliding_window": WINDOW, "query_pre_attn_scalar": 20, "torch_dtype": "bfloat16",
         "tie_word_embeddings": True, "hidden_size": 56, "intermediate_size": 72}
MOE = {"hidden_size": 32, "num_key_value_heads": 2, "router_aux_loss_coef": 0.001, "output_router_logits": False}

# name: (model_type, architecture, what differs from BASE)
FAMILIES = {
    "mistral": ("mistral", "MistralForCausalLM", {"sliding_window": WINDOW}),
    "mistral-null": ("mistral", "MistralForCausalLM", {"sliding_window": None, "head_dim": 24, "hidden_size": 48}),
    "qwen2": ("qwen2", "Qwen2ForCausalLM", {"rope_theta": 1e6, "sliding_window": 128, "max_window_layers": 2, "use_sliding_window": False,
                                            "torch_dtype": "bfloat16", "rms_norm_eps": 1e-6}),
    "qwen2-tied": ("qwen2", "Qwen2ForCausalLM", {"tie_word_embeddings": True, "sliding_window": WINDOW, "max_window_layers": 1,
                                                 "use_sliding_window": True, "hidden_size": 48}),
    "qwen2-yarn": ("qwen2", "Qwen2ForCausalLM", {**YARN, "use_sliding_window": False, "rope_scaling": {
        "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}}),
    "qwen3": ("qwen3", "Qwen3ForCausalLM", {"head_dim": 24, "attention_bias": False, "use_sliding_window": False, "sliding_window": None,
                                            "max_window_layers": 2, "tie_word_embeddings": True, "rope_theta": 1e6, "hidden_size": 56}),
    "qwen3-yarn": ("qwen3", "Qwen3ForCausalLM", {**YARN, "head_dim": 16, "attention_bias": False, "use_sliding_window": False, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024, "mscale": 1.0, "mscale_all_dim": 0.5}}),
    "llama3": ("llama", "LlamaForCausalLM", {"head_dim": 16, "rope_theta": 500000.0, "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False,
                                             "torch_dtype": "bfloat16", "rope_scaling": {
        "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16, "rope_type": "llama3"}}),
    "llama-yarn": ("llama", "LlamaForCausalLM", {**YARN, "attention_bias": False, "mlp_bias": False, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024, "beta_fast": 16.0, "beta_slow": 2.0, "attention_factor": 1.25}}),
    "llama-linear": ("llama", "LlamaForCausalLM", {"hidden_size": 48, "rope_scaling": {"type": "linear", "factor": 4.0}}),
    "llama-dynamic": ("llama", "LlamaForCausalLM", {"hidden_size": 48, "max_position_embeddings": 16, "rope_scaling": {"type": "dynamic", "factor": 2.0}}),
    "gemma2": ("gemma2", "Gemma2ForCausalLM", {**GEMMA, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "num_hidden_layers": 3}),
    "gemma3": ("gemma3_text", "Gemma3ForCausalLM", {**GEMMA, "sliding_window_pattern": 2, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
                                                    "num_hidden_layers": 4, "hidden_size": 48, "num_key_value_heads": 1,
                                                    "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
                                                    "attn_logit_softcapping": None, "final_logit_softcapping": None}),
    "phi3": ("phi3", "Phi3ForCausalLM", {"sliding_window": WINDOW, "rope_scaling": None, "num_key_value_heads": 4, "torch_dtype": "bfloat16",
                                         "original_max_position_embeddings": 256}),
    "phi3-short": ("phi3", "Phi3ForCausalLM", {"sliding_window": 200, "max_position_embeddings": 1024, "original_max_position_embeddings": 64,
                                               "rope_scaling": {"long_factor": LONG, "short_factor": SHORT, "type": "longrope"}}),
    "phi3-long": ("phi3", "Phi3ForCausalLM", {"sliding_window": 200, "max_position_embeddings": 64, "original_max_position_embeddings": 16,
                                              "partial_rotary_factor": 0.75, "tie_word_embeddings": True,
                                              "rope_scaling": {"long_factor": LONG[:6], "short_factor": SHORT[:6], "type": "longrope"}}),
    "glm": ("glm", "GlmForCausalLM", {"head_dim": 16, "attention_bias": True, "partial_rotary_factor": 0.5}),
    "glm4": ("glm4", "Glm4ForCausalLM", {"head_dim": 24, "hidden_size": 56, "attention_bias": True, "partial_rotary_factor": 0.5, "torch_dtype": "bfloat16"}),
    "mixtral": ("mixtral", "MixtralForCausalLM", {**MOE, "num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 48, "sliding_window": None,
                                                  "rope_theta": 1e6}),
    "qwen3-moe": ("qwen3_moe", "Qwen3MoeForCausalLM", {**MOE, "head_dim": 16, "num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 24,
                                                       "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [], "attention_bias": False,
                                                       "use_sliding_window": False, "sliding_window": None, "max_window_layers": 2}),
}


def config_of(model_type, architecture, spec):
    """Return config.json with the keys of published checkpoints."""
    return {"architectures": [architecture], "model_type": model_type, **BASE, **spec}


def has_zero_centred_norms(architecture):
    """Report whether the RMS norms of the family multiply by one plus their weight."""
    return architecture.startswith("Gemma")


def fill(model, architecture, dtype):
    """Give a model random weights that are exact in the checkpoint's type and spread its logits."""
    shift = 0.0 if has_zero_centred_norms(architecture) else 1.0
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1:
                p.copy_((shift if "norm" in name else 0.0) + 0.2 * torch.randn_like(p))
            elif "embed" in name or "lm_head" in name:
                p.normal_(std=0.3)
            else:
                sharp = any(part in name for part in ("q_proj", "k_proj", "qkv_proj", "router", ".gate."))
                p.normal_(std=(1.5 if sharp else 1.0) / math.sqrt(p.shape[-1]))
            p.copy_(p.to(dtype).float())
    return model


def published_tensors(tensors, model_type):
    """Return the tensors under published names: transformers 5 may keep the experts of a layer in one tensor."""
    out = {}
    for name, value in tensors.items():
        if name.endswith("experts.gate_up_proj"):
            ours = ("w1", "w3") if model_type == "mixtral" else ("gate_proj", "up_proj")
            for e in range(value.shape[0]):
                for half, part in zip(ours, value[e].chunk(2, dim=0)):
                    out[f"{published_experts(name, model_type)}{e}.{half}.weight"] = part.contiguous().clone()
        elif name.endswith("experts.down_proj"):
            ours = "w2" if model_type == "mixtral" else "down_proj"
            for e in range(value.shape[0]):
                out[f"{published_experts(name, model_type)}{e}.{ours}.weight"] = value[e].contiguous().clone()
        elif model_type == "mixtral" and ".mlp.gate." in name:
            out[name.replace(".mlp.gate.", ".block_sparse_moe.gate.")] = value
        else:
            out[name] = value
    return out


def published_experts(name, model_type):
    """Return the prefix of one layer's experts up to the number of the expert."""
    prefix = name[: name.rindex("experts.") + len("experts.")]
    return prefix.replace(".mlp.", ".block_sparse_moe.") if model_type == "mixtral" else prefix


def tensors_of(model, model_type, dtype, scratch):
    """Return the tensors that transformers saves for a model."""
    shutil.rmtree(scratch, ignore_errors=True)
    # A copy, because the conversion also rounds buffers such as the rotary frequencies.
    copy.deepcopy(model).to(dtype).save_pretrained(scratch)
    tensors = load_file(scratch / "model.safetensors")
    shutil.rmtree(scratch)
    return published_tensors(tensors, model_type)


def reload(model_class, folder):
    """Return the model as transformers reads it from a folder, in float32; refuse a reading with missing tensors."""
    options = {"attn_implementation": "eager", "output_loading_info": True}
    try:
        model, loading = model_class.from_pretrained(folder, dtype=torch.float32, **options)
    except TypeError:
        model, loading = model_class.from_pretrained(folder, torch_dtype=torch.float32, **options)
    missing = [name for name in loading["missing_keys"] if "rotary" not in name and name != "lm_head.weight"]
    if missing or loading["unexpected_keys"]:
        raise ValueError(f"missing {missing}, unexpected {sorted(loading['unexpected_keys'])}")
    return model.float().eval()


def prompts_of(vocabulary, seed):
    """Return the token ids of the prompts, each of one row."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, vocabulary, (1, length), generator=generator) for length in PROMPT_LENGTHS]


def greedy(model, ids):
    """Return the greedy continuation of a prompt with a cache, or why there is none."""
    try:
        model.generation_config.eos_token_id = None
        model.generation_config.do_sample = False
        out = model.generate(ids, max_new_tokens=NEW_TOKENS, do_sample=False, attention_mask=torch.ones_like(ids))
        return out[0, ids.shape[1] :].tolist()
    except Exception as error:  # the logits stand without it
        return f"{type(error).__name__}: {str(error)[:160]}"


def greedy_again(model, ids):
    """Return the greedy continuation without a cache and the margin of each step."""
    tokens, margins = ids, []
    for _ in range(NEW_TOKENS):
        best = model(input_ids=tokens, use_cache=False).logits[0, -1].float().topk(2)
        margins.append(round((best.values[0] - best.values[1]).item(), 6))
        tokens = torch.cat([tokens, best.indices[:1].view(1, 1)], dim=1)
    return tokens[0, ids.shape[1] :].tolist(), margins


def plain(value):
    """Return a config value as JSON can hold it."""
    return json.loads(json.dumps(value, default=str))


def reference_of(model, written, prompts):
    """Return what reference.json says of each prompt, and the arrays of logits.safetensors."""
    entries, arrays = [], {}
    for i, ids in enumerate(prompts):
        result = model(input_ids=ids, use_cache=False, output_hidden_states=True)
        value = result.logits[0].float()
        difference = (written(input_ids=ids, use_cache=False).logits[0].float() - value).abs().max().item()
        arrays[f"prompt{i}.logits"] = value.contiguous().clone()
        if i == 0:
            for layer, hidden in enumerate(result.hidden_states):
                arrays[f"prompt{i}.hidden{layer}"] = hidden[0].float().contiguous().clone()
        continuation, margins = greedy_again(model, ids)
        entries.append({"ids": ids[0].tolist(), "argmax": value.argmax(-1).tolist(), "logit_std": round(value.std().item(), 4),
                        "reload_max_difference": difference, "continuation": continuation, "margins": margins,
                        "continuation_with_cache": greedy(model, ids)})
    return entries, arrays


def write_family(out, name, seed):
    """Write the folder of one family."""
    model_type, architecture, spec = FAMILIES[name]
    config = config_of(model_type, architecture, spec)
    dtype = getattr(torch, config["torch_dtype"])
    model_class = getattr(transformers, architecture)
    parsed = transformers.CONFIG_MAPPING[model_type].from_dict(dict(config))
    parsed._attn_implementation = "eager"
    torch.manual_seed(seed)
    written = fill(model_class(parsed).float().eval(), architecture, dtype)
    folder = out / "families" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(tensors_of(written, model_type, dtype, out / "scratch"), folder / "model.safetensors", metadata={"format": "pt"})
    model = reload(model_class, folder)
    with torch.no_grad():
        entries, arrays = reference_of(model, written, prompts_of(config["vocab_size"], seed))
    save_file(arrays, folder / "logits.safetensors")
    write_json(folder / "reference.json", {"provenance": provenance(__file__, seed), "architecture": architecture,
                                           "understood": plain(model.config.to_dict()), "prompts": entries})
    print(f"{name}: spread {[e['logit_std'] for e in entries]}, changed by reloading {[e['reload_max_difference'] for e in entries]}, "
          f"smallest margin {min(min(e['margins']) for e in entries)}", flush=True)


def main():
    """Write every family that was asked for, and go on after one that fails."""
    out = Path(sys.argv[1])
    failed = []
    for name in sys.argv[2:] or FAMILIES:
        try:
            write_family(out, name, SEED + list(FAMILIES).index(name))
        except Exception:  # versions of transformers differ: one family must not hide the others
            failed.append(name)
            print(f"{name}: FAILED\n{traceback.format_exc()}", flush=True)
            shutil.rmtree(out / "families" / name, ignore_errors=True)
    shutil.rmtree(out / "scratch", ignore_errors=True)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}: {len(failed)} failed {failed}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
