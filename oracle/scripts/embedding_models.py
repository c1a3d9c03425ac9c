"""Write tiny random models of embeddings, as sentence-transformers publishes them, and what transformers computes from them.

Usage: embedding_models.py OUT_DIR   (writes OUT_DIR/embeddings/NAME/)

Each folder has config.json, model.safetensors, modules.json, 1_Pooling/config.json and reference.json. The models are saved
without their heads, so their architecture is `...Model` and tensor names lack `model.`. The reference pools the last hidden
states of the model as transformers reads it back from that folder, in float32.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import transformers

from common import provenance, write_json
from family_models import FAMILIES, config_of, fill, prompts_of
from gpu_family_models import GPU_FAMILIES

INPUTS = ("family_models.py", "gpu_family_models.py")
SEED = 41011
MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")

# name: (family, class of the base model, pooling, whether a Normalize module follows). GPUs run all of them.
MODELS = {
    "qwen3-last": ("qwen3-heads-of-32", "Qwen3Model", "lasttoken", True),
    "mistral-mean": ("mistral", "MistralModel", "mean_tokens", False),
    "llama3-cls": ("llama3", "LlamaModel", "cls_token", True),
}


def pool(states, mode, normalise):
    """Return the embedding of [tokens, hidden] states."""
    pooled = {"cls_token": states[0], "lasttoken": states[-1], "mean_tokens": states.mean(dim=0)}[mode]
    return torch.nn.functional.normalize(pooled, dim=0) if normalise else pooled


def write_modules(folder, hidden, mode, normalise):
    """Write the files by which sentence-transformers knows the modules."""
    types = [("", "Transformer"), ("1_Pooling", "Pooling")] + ([("2_Normalize", "Normalize")] if normalise else [])
    modules = [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"} for i, (path, name) in enumerate(types)]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n")
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": hidden, **{f"pooling_mode_{one}": one == mode for one in MODES}, "include_prompt": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling, indent=2) + "\n")


def write_model(out, name, seed):
    """Write the folder of one model."""
    family, base, mode, normalise = MODELS[name]
    model_type, architecture, spec = {**FAMILIES, **GPU_FAMILIES}[family]
    config = {**config_of(model_type, architecture, spec), "architectures": [base]}
    dtype = getattr(torch, config["torch_dtype"])
    parsed = transformers.CONFIG_MAPPING[model_type].from_dict(dict(config))
    parsed._attn_implementation = "eager"
    torch.manual_seed(seed)
    model_class = getattr(transformers, base)
    written = fill(model_class(parsed).float().eval(), architecture, dtype)
    folder = out / "embeddings" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written.to(dtype).save_pretrained(folder)
    for extra in folder.glob("generation_config.json"):
        extra.unlink()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_modules(folder, config["hidden_size"], mode, normalise)
    model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        prompts = prompts_of(config["vocab_size"], seed)
        states = [model(input_ids=ids, use_cache=False).last_hidden_state[0] for ids in prompts]
    inputs = {script: provenance(Path(__file__).with_name(script))["script_sha256"] for script in INPUTS}
    write_json(folder / "reference.json", {"provenance": {**provenance(__file__, seed), "inputs": inputs}, "prompts": [
        {"ids": ids[0].tolist(), "embedding": pool(state, mode, normalise).tolist()} for ids, state in zip(prompts, states)]})


def main():
    for offset, name in enumerate(MODELS):
        write_model(Path(sys.argv[1]), name, SEED + offset)


if __name__ == "__main__":
    main()
