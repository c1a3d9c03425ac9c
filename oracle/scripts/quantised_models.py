"""Write tiny random LLaMA checkpoints that are quantised as AWQ, GPTQ and FP8 are published, and what numpy computes of them.

Usage: quantised_models.py OUT_DIR   (writes OUT_DIR/quantised/NAME/; needs numpy and nothing else)

Codes, zeros and scales are drawn, packed number by number from the published descriptions, and the logits are those of
the weights that they stand for: (code - zero) * scale, in float64. The model is LLaMA in the plainest form: one sequence,
no cache, one loop over heads.

AutoAWQ, arrangement "gemm": qweight [in, out / 8] and qzeros [groups, out / 8]; the eight outputs of a word lie, from its
lowest bits, in the order 0 2 4 6 1 3 5 7.
AutoGPTQ: qweight [in / 8, out], eight inputs a word; qzeros [groups, out / 8], eight outputs a word, each one less than
meant (checkpoint_format "gptq") or as meant ("gptq_v2"); g_idx [in] names the group of each input.
FP8 (quant_method "fp8", and compressed-tensors "float-quantized"): weight [out, in] in E4M3, weight_scale for a tensor
(shape [] or [1]) or a channel ([out, 1]).
"""

import json
import math
import re
import struct
import sys
from pathlib import Path

import numpy as np

from common import provenance, write_json

SEED = 7717
PROMPT_LENGTH = 33
NEW_TOKENS = 12
HIDDEN, INTER, HEADS, KV_HEADS, LAYERS, VOCABULARY = 128, 256, 4, 2, 2, 96
HEAD = HIDDEN // HEADS
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": HIDDEN,
          "intermediate_size": INTER, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "num_hidden_layers": LAYERS,
          "max_position_embeddings": 64, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "tie_word_embeddings": False,
          "vocab_size": VOCABULARY, "torch_dtype": "float16", "bos_token_id": 1, "eos_token_id": 2}
AWQ = {"quant_method": "awq", "bits": 4, "version": "gemm", "zero_point": True, "modules_to_not_convert": None}
GPTQ = {"quant_method": "gptq", "bits": 4, "desc_act": False, "sym": True, "damp_percent": 0.01, "true_sequential": True}
FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}


def compressed(strategy, ignore):
    """Return the configuration of compressed-tensors for E4M3 weights by inputs that are rounded as they come."""
    number = {"num_bits": 8, "type": "float", "symmetric": True, "group_size": None, "block_structure": None, "actorder": None, "observer_kwargs": {}}
    weights = {**number, "strategy": strategy, "dynamic": False, "observer": "minmax"}
    inputs = {**number, "strategy": "token", "dynamic": True, "observer": None}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs, "output_activations": None}
    return {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": {"group_0": group}, "ignore": ignore,
            "kv_cache_scheme": None, "quantization_status": "compressed", "global_compression_ratio": 1.24}


MODELS = {
    "awq-g128": {**AWQ, "group_size": 128},
    "awq-g64-partly": {**AWQ, "group_size": 64, "modules_to_not_convert": ["layers.0.self_attn", "lm_head"]},
    "gptq-g128-zeros": {**GPTQ, "group_size": 128, "sym": False},
    "gptq-g32": {**GPTQ, "group_size": 32},
    "gptq-v2-g64-zeros": {**GPTQ, "group_size": 64, "sym": False, "checkpoint_format": "gptq_v2"},
    "gptq-rows": {**GPTQ, "group_size": -1},
    "gptq-act-order": {**GPTQ, "group_size": 32, "desc_act": True},
    "fp8-tensor-partly": {**FP8, "ignored_layers": ["model.layers.0.self_attn.o_proj", "lm_head"]},
    "fp8-channel": compressed("channel", ["lm_head"]),
    "fp8-tensor-with-head": compressed("tensor", ["re:.*layers.1.mlp.down_proj"]),
}
# Its configuration lies in a file of its own, as AutoGPTQ wrote it at first.
SEPARATE = "gptq-rows"
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
SHAPES = {"self_attn.q_proj": (HIDDEN, HIDDEN), "self_attn.k_proj": (KV_HEADS * HEAD, HIDDEN), "self_attn.v_proj": (KV_HEADS * HEAD, HIDDEN),
          "self_attn.o_proj": (HIDDEN, HIDDEN), "mlp.gate_proj": (INTER, HIDDEN), "mlp.up_proj": (INTER, HIDDEN), "mlp.down_proj": (HIDDEN, INTER)}


def packed(numbers, order):
    """Return a word for each row of eight numbers; number order[i] of a row has bits 4i to 4i + 3."""
    words = np.zeros(len(numbers), np.uint32)
    for i, place in enumerate(order):
        words |= numbers[:, place].astype(np.uint32) << np.uint32(4 * i)
    return words.view(np.int32)


def across(matrix, order=range(8)):
    """Pack eight neighbours of each row.  [rows, columns] -> [rows, columns / 8]"""
    return packed(matrix.reshape(-1, 8), order).reshape(len(matrix), -1)


def e4m3(code):
    """Return the number of a code: a sign, four bits of exponent with a bias of 7, three of fraction."""
    exponent, fraction = code >> 3 & 15, code & 7
    magnitude = fraction * 2.0**-9 if exponent == 0 else (1 + fraction / 8) * 2.0 ** (exponent - 7)
    return -magnitude if code & 128 else magnitude


E4M3 = np.array([e4m3(code) for code in range(127)])


def bfloat16(values):
    """Return the upper halves of float32 numbers."""
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def quantised_fp8(name, shape, spec, random):
    """Return the tensors of a module in E4M3 and the matrix [out, in] that they stand for."""
    values = random.standard_normal(shape) / math.sqrt(shape[1])
    is_channel = "config_groups" in spec and spec["config_groups"]["group_0"]["weights"]["strategy"] == "channel"
    scales = np.abs(values).max(axis=1 if is_channel else None, keepdims=True).astype(np.float32) / np.float32(448)
    if not is_channel:
        scales = scales.reshape(() if spec["quant_method"] == "fp8" else (1,))
    tensors = {f"{name}.weight_scale": scales}
    if "config_groups" in spec:
        tensors[f"{name}.weight_scale"] = bfloat16(scales)
        scales = (tensors[f"{name}.weight_scale"].astype(np.uint32) << 16).view(np.float32)
    parts = np.abs(values / scales)
    codes = np.abs(parts[:, :, None] - E4M3).argmin(axis=2).astype(np.uint8) | (values < 0).astype(np.uint8) << 7
    tensors[f"{name}.weight"] = codes
    return tensors, np.where(values < 0, -1, 1) * E4M3[codes & 127] * scales.astype(np.float64)


def is_kept(name, spec):
    """Tell whether a configuration leaves a module dense."""
    listed = (spec.get("modules_to_not_convert") or []) + spec.get("ignored_layers", []) + spec.get("ignore", [])
    return any(re.match(one[3:], name) if one.startswith("re:") else one in name for one in listed)


def quantised(name, shape, spec, random, orders):
    """Return the tensors of a module and the matrix [out, in] that they stand for."""
    if spec["quant_method"] in ("fp8", "compressed-tensors"):
        return quantised_fp8(name, shape, spec, random)
    out, inputs = shape
    is_awq, size = spec["quant_method"] == "awq", spec["group_size"]
    size = inputs if size == -1 else size
    groups = inputs // size
    has_zeros = is_awq or not spec["sym"]
    codes = random.integers(0, 16, (inputs, out))
    zeros = random.integers(0, 16, (groups, out)) if has_zeros else np.full((groups, out), 8)
    if is_awq or spec.get("checkpoint_format") != "gptq_v2":
        zeros = np.maximum(zeros, 0 if is_awq else 1)
    scales = ((0.1 + 0.2 * random.random((groups, out))) / math.sqrt(inputs)).astype(np.float16)
    group = np.arange(inputs) // size
    if spec.get("desc_act"):
        # Modules that read the same values were quantised in the same order.
        site = name.replace("k_proj", "q_proj").replace("v_proj", "q_proj").replace("up_proj", "gate_proj")
        if site not in orders:
            orders[site] = random.permutation(inputs)
        group = group[orders[site]]
    values = (codes - zeros[group]) * scales.astype(np.float64)[group]
    tensors = {f"{name}.scales": scales}
    if is_awq:
        tensors[f"{name}.qweight"] = across(codes, AWQ_ORDER)
        tensors[f"{name}.qzeros"] = across(zeros, AWQ_ORDER)
    else:
        stored = zeros if spec.get("checkpoint_format") == "gptq_v2" else zeros - 1
        tensors[f"{name}.qweight"] = np.ascontiguousarray(across(codes.T).T)
        tensors[f"{name}.qzeros"] = across(stored)
        tensors[f"{name}.g_idx"] = group.astype(np.int32)
    return tensors, values.T


def random_model(spec, random):
    """Return the tensors of a checkpoint, and its weights as numbers by the names of a dense one."""
    def dense(rows, columns, scale):
        return (random.standard_normal((rows, columns)) * scale).astype(np.float16)

    def vector():
        return (1 + 0.2 * random.standard_normal(HIDDEN)).astype(np.float16)

    tensors = {"model.embed_tokens.weight": dense(VOCABULARY, HIDDEN, 0.3), "model.norm.weight": vector(), "lm_head.weight": dense(VOCABULARY, HIDDEN, 0.3)}
    weights, orders = {}, {}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        tensors[prefix + "input_layernorm.weight"] = vector()
        tensors[prefix + "post_attention_layernorm.weight"] = vector()
        for module, shape in SHAPES.items():
            if is_kept(prefix + module, spec):
                tensors[f"{prefix}{module}.weight"] = dense(*shape, 1 / math.sqrt(shape[1]))
                continue
            parts, weights[f"{prefix}{module}.weight"] = quantised(prefix + module, shape, spec, random, orders)
            tensors.update(parts)
    if spec["quant_method"] == "compressed-tensors" and not is_kept("lm_head", spec):
        parts, weights["lm_head.weight"] = quantised("lm_head", (VOCABULARY, HIDDEN), spec, random, orders)
        tensors.update(parts)
    return tensors, {**weights, **{name: value.astype(np.float64) for name, value in tensors.items() if name.endswith("weight") and value.dtype == np.float16}}


def save_safetensors(path, tensors):
    """Write numpy arrays as a safetensors file."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, value in tensors.items():
        kinds = {"float16": "F16", "float32": "F32", "int32": "I32", "uint8": "F8_E4M3", "uint16": "BF16"}
        kind = kinds[value.dtype.name]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in tensors.values()))


def rms_norm(x, weight):
    """Return each row divided by its root mean square, times the weight."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + CONFIG["rms_norm_eps"]) * weight


def rotate(head):
    """Rotate dimension i of a head with dimension i + HEAD / 2.  head [tokens, HEAD]"""
    half = HEAD // 2
    angle = np.arange(len(head))[:, None] * CONFIG["rope_theta"] ** (-np.arange(half) / half)
    first, second = head[:, :half], head[:, half:]
    return np.concatenate([first * np.cos(angle) - second * np.sin(angle), second * np.cos(angle) + first * np.sin(angle)], axis=1)


def attention(x, weight):
    """Return what self-attention makes of normed rows [tokens, hidden]."""
    queries, keys, values = (x @ weight(f"self_attn.{part}_proj.weight").T for part in "qkv")
    out = []
    for head in range(HEADS):
        group = head // (HEADS // KV_HEADS)
        query, key = rotate(queries[:, head * HEAD : (head + 1) * HEAD]), rotate(keys[:, group * HEAD : (group + 1) * HEAD])
        scores = query @ key.T / math.sqrt(HEAD)
        scores[np.triu_indices(len(x), 1)] = -np.inf
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        out.append(share / share.sum(axis=1, keepdims=True) @ values[:, group * HEAD : (group + 1) * HEAD])
    return np.concatenate(out, axis=1) @ weight("self_attn.o_proj.weight").T


def logits_of(ids, weights):
    """Return the logits at all positions of a sequence, [tokens, vocabulary]."""
    x = weights["model.embed_tokens.weight"][ids]
    for layer in range(LAYERS):
        def weight(name, prefix=f"model.layers.{layer}."):
            return weights[prefix + name]

        x = x + attention(rms_norm(x, weight("input_layernorm.weight")), weight)
        normed = rms_norm(x, weight("post_attention_layernorm.weight"))
        gate = normed @ weight("mlp.gate_proj.weight").T
        x = x + gate / (1 + np.exp(-gate)) * (normed @ weight("mlp.up_proj.weight").T) @ weight("mlp.down_proj.weight").T
    return rms_norm(x, weights["model.norm.weight"]) @ weights["lm_head.weight"].T


def main():
    """Write every checkpoint and its reference."""
    out = Path(sys.argv[1]) / "quantised"
    for index, (name, spec) in enumerate(MODELS.items()):
        random = np.random.default_rng(SEED + index)
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        tensors, weights = random_model(spec, random)
        config = CONFIG if name == SEPARATE else {**CONFIG, "quantization_config": spec}
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        if name == SEPARATE:
            own = {key: value for key, value in spec.items() if key != "quant_method"}
            (folder / "quantize_config.json").write_text(json.dumps(own, indent=2) + "\n")
        save_safetensors(folder / "model.safetensors", tensors)
        ids = random.integers(4, VOCABULARY, PROMPT_LENGTH).tolist()
        logits = logits_of(ids, weights)
        continued = list(ids)
        for _ in range(NEW_TOKENS):
            continued.append(int(logits_of(continued, weights)[-1].argmax()))
        sample = "model.layers.1.self_attn.k_proj.weight"
        save_safetensors(folder / "logits.safetensors", {"logits": logits.astype(np.float32), sample: weights[sample].astype(np.float32)})
        prompt = {"ids": ids, "argmax": logits.argmax(axis=1).tolist(), "continuation": continued[PROMPT_LENGTH:]}
        write_json(folder / "reference.json", {"provenance": {**provenance(__file__, SEED + index), "numpy": np.__version__}, "sample": sample, **prompt})
        print(name, round(float(logits.std()), 3))


if __name__ == "__main__":
    main()
