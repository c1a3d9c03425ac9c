"""Write tiny random LLaMA checkpoints and their float32 logits.

Usage: tiny_models.py OUT_DIR   (writes OUT_DIR/tiny/* and OUT_DIR/logits-tiny.*)
"""

import json
import math
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from common import provenance, write_json

SEED = 20240
LENGTH = 20
BASE = {"vocab_size": 128, "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 4, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16, "rope_type": "llama3"}
MODELS = {
    "mha-f32": {"dtype": "float32", "vocab_size": 96, "hidden_size": 48, "intermediate_size": 96},
    "gqa-f16": {"dtype": "float16", "num_key_value_heads": 2, "vocab_size": 160},
    "mqa-bf16": {"dtype": "bfloat16", "num_key_value_heads": 1, "rms_norm_eps": 1e-6},
    "tied-f16": {"dtype": "float16", "tie_word_embeddings": True, "num_key_value_heads": 2},
    "head-dim-f16": {"dtype": "float16", "head_dim": 24, "num_key_value_heads": 2, "hidden_size": 56, "intermediate_size": 144},
    "rope-linear-f32": {"dtype": "float32", "num_key_value_heads": 2, "hidden_size": 48, "intermediate_size": 100, "rope_scaling": {"type": "linear", "factor": 4.0}},
    "rope-dynamic-f32": {"dtype": "float32", "num_key_value_heads": 2, "hidden_size": 48, "intermediate_size": 100, "max_position_embeddings": 12,
                         "rope_scaling": {"type": "dynamic", "factor": 2.0}},
    "rope-llama3-bf16": {"dtype": "bfloat16", "num_key_value_heads": 2, "rope_theta": 500000.0, "max_position_embeddings": 128, "rope_scaling": LLAMA3},
    "theta500000-bf16": {"dtype": "bfloat16", "num_key_value_heads": 2, "rope_theta": 500000.0},
    "bias-f32": {"dtype": "float32", "attention_bias": True, "mlp_bias": True, "hidden_size": 48, "intermediate_size": 104, "num_key_value_heads": 2},
    "new-keys-f16": {"dtype": "float16", "num_key_value_heads": 2, "rope_theta": 500000.0, "rope_scaling": LLAMA3, "max_position_embeddings": 128, "new_keys": True},
    "sharded-f16": {"dtype": "float16", "num_key_value_heads": 2, "shards": 3},
    "bin-f16": {"dtype": "float16", "num_key_value_heads": 2, "bin": True},
    "bin-sharded-f16": {"dtype": "float16", "num_key_value_heads": 2, "bin": True, "shards": 2},
}


def published_config(spec):
    """Return config.json with the keys that published LLaMA checkpoints use."""
    values = {**BASE, **{k: v for k, v in spec.items() if k in BASE}}
    config = {"architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
              "initializer_range": 0.02, "model_type": "llama", "pretraining_tp": 1, **values,
              "rope_scaling": spec.get("rope_scaling"), "torch_dtype": spec["dtype"], "use_cache": True}
    if "head_dim" in spec:
        config["head_dim"] = spec["head_dim"]
    return config


def new_config(config):
    """Return the same config with the keys of transformers 5: `dtype` and `rope_parameters`."""
    config = dict(config)
    scaling = config.pop("rope_scaling") or {"rope_type": "default"}
    config["rope_parameters"] = {"rope_theta": config.pop("rope_theta"), **scaling}
    config["dtype"] = config.pop("torch_dtype")
    config["head_dim"] = config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])
    return config


def make_model(config, spec, seed):
    """Return a float32 model with random weights that are exact in the checkpoint's type."""
    torch.manual_seed(seed)
    inner = dict(new_config(config))
    inner.pop("dtype")
    if inner["rope_parameters"].get("type"):
        inner["rope_parameters"]["rope_type"] = inner["rope_parameters"].pop("type")
    model = LlamaForCausalLM(LlamaConfig(**inner, attn_implementation="eager")).eval()
    dtype = getattr(torch, spec["dtype"])
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(1 + 0.2 * torch.randn_like(p))
            elif "bias" in name:
                p.normal_(std=0.2)
            elif "embed" in name or "lm_head" in name:
                p.normal_(std=0.3)
            else:
                p.normal_(std=1.5 / math.sqrt(p.shape[1]) if "q_proj" in name or "k_proj" in name else 1 / math.sqrt(p.shape[1]))
            p.copy_(p.to(dtype).float())
    return model


def state_dict(model, spec, tied):
    """Return the tensors that a checkpoint holds."""
    dtype = getattr(torch, spec["dtype"])
    tensors = {k: v.detach().to(dtype).contiguous() for k, v in model.state_dict().items()}
    if tied:
        tensors.pop("lm_head.weight", None)
    return {k: v.clone() for k, v in tensors.items()}


def save(folder, tensors, spec):
    """Write the tensors as safetensors or .bin, in one file or several with an index."""
    count, is_bin = spec.get("shards", 1), spec.get("bin", False)
    stem, ext = ("pytorch_model", "bin") if is_bin else ("model", "safetensors")
    write = torch.save if is_bin else (lambda t, path: save_file(t, path, metadata={"format": "pt"}))
    if count == 1:
        write(tensors, folder / f"{stem}.{ext}")
        return
    names, index = list(tensors), {}
    size = math.ceil(len(names) / count)
    for i in range(count):
        file = f"{stem}-{i + 1:05}-of-{count:05}.{ext}"
        part = {n: tensors[n] for n in names[i * size : (i + 1) * size]}
        write(part, folder / file)
        index.update(dict.fromkeys(part, file))
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    (folder / f"{stem}.{ext}.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": index}, indent=2) + "\n")


def main():
    """Write all checkpoints, then reload each from disk and write its logits."""
    out = Path(sys.argv[1])
    logits, info = {}, {}
    for i, (name, spec) in enumerate(MODELS.items()):
        folder = out / "tiny" / name
        folder.mkdir(parents=True, exist_ok=True)
        config = published_config(spec)
        model = make_model(config, spec, SEED + i)
        (folder / "config.json").write_text(json.dumps(new_config(config) if spec.get("new_keys") else config, indent=2) + "\n")
        save(folder, state_dict(model, spec, config["tie_word_embeddings"]), spec)
        ids = torch.randint(3, config["vocab_size"], (1, LENGTH), generator=torch.Generator().manual_seed(SEED))
        ids[0, 0] = 1
        with torch.no_grad():
            value = model(input_ids=ids, use_cache=False).logits[0].float()
            try:
                again = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
                difference = (again(input_ids=ids, use_cache=False).logits[0] - value).abs().max().item()
            except Exception as error:  # a loader that refuses old pickles must not hide the other files
                difference = f"not reloaded: {type(error).__name__}: {str(error)[:160]}"
        logits[name] = value.contiguous()
        info[name] = {"ids": ids[0].tolist(), "argmax": value.argmax(-1).tolist(), "reload_max_difference": difference,
                      "logit_std": round(value.std().item(), 4)}
        print(name, info[name]["logit_std"], difference)
    save_file(logits, out / "logits-tiny.safetensors")
    write_json(out / "logits-tiny.json", {"provenance": provenance(__file__, SEED), "models": info})
    print(transformers.__version__)


if __name__ == "__main__":
    main()
