"""Write tiny random ChatGLM checkpoints and what an implementation in numpy, from the published description, computes.

Usage: chatglm_models.py OUT_DIR   (writes OUT_DIR/chatglm/NAME/; needs numpy and nothing else)

ChatGLM2, ChatGLM3 and GLM-4-9B are not part of transformers under their published tensor names. This is written from
"ChatGLM: A Family of Large Language Models" (arXiv 2406.12793), "GLM-130B" (arXiv 2210.02414) and the tensors of the
published checkpoints, in the plainest form: one sequence, no cache, float64, one loop over heads and one over pairs.
"""

import json
import math
import struct
import sys
from pathlib import Path

import numpy as np

from common import provenance, write_json

SEED = 4099
PROMPT_LENGTHS = (19, 33)
NEW_TOKENS = 12
BASE = {"architectures": ["ChatGLMModel"], "model_type": "chatglm", "add_bias_linear": False, "add_qkv_bias": True,
        "apply_query_key_layer_scaling": True, "apply_residual_connection_post_layernorm": False, "attention_softmax_in_fp32": True,
        "bias_dropout_fusion": True, "ffn_hidden_size": 104, "hidden_size": 64, "kv_channels": 16, "layernorm_epsilon": 1e-05,
        "multi_query_attention": True, "multi_query_group_num": 2, "num_attention_heads": 4, "num_layers": 2, "original_rope": True,
        "padded_vocab_size": 96, "post_layer_norm": True, "rmsnorm": True, "seq_length": 64, "tie_word_embeddings": False,
        "torch_dtype": "float16", "use_cache": True, "eos_token_id": 2, "pad_token_id": 0}
MODELS = {
    "chatglm2": {"_name_or_path": "THUDM/chatglm2-6b"},
    "chatglm2-32k": {"_name_or_path": "THUDM/chatglm2-6b-32k", "rope_ratio": 4},
    "chatglm3": {"_name_or_path": "THUDM/chatglm3-6b", "kv_channels": 24, "num_attention_heads": 6, "multi_query_group_num": 3, "hidden_size": 48, "ffn_hidden_size": 96},
    "glm-4-9b": {"architectures": ["ChatGLMForConditionalGeneration"], "rope_ratio": 500, "layernorm_epsilon": 1.5625e-07, "eos_token_id": [2, 3]},
}


def random_tensors(config, random):
    """Return the tensors of a checkpoint in float16, with the published names."""
    hidden, ffn, head = config["hidden_size"], config["ffn_hidden_size"], config["kv_channels"]
    heads, groups, vocabulary = config["num_attention_heads"], config["multi_query_group_num"], config["padded_vocab_size"]
    qkv_rows = (heads + 2 * groups) * head

    def matrix(rows, columns, scale=1.0):
        return (random.standard_normal((rows, columns)) * scale / math.sqrt(columns)).astype(np.float16)

    def vector(length, centre):
        return (centre + 0.2 * random.standard_normal(length)).astype(np.float16)

    tensors = {"transformer.embedding.word_embeddings.weight": matrix(vocabulary, hidden, 0.3 * math.sqrt(hidden))}
    for layer in range(config["num_layers"]):
        prefix = f"transformer.encoder.layers.{layer}."
        tensors[prefix + "input_layernorm.weight"] = vector(hidden, 1)
        tensors[prefix + "self_attention.query_key_value.weight"] = matrix(qkv_rows, hidden, 1.5)
        tensors[prefix + "self_attention.query_key_value.bias"] = vector(qkv_rows, 0)
        tensors[prefix + "self_attention.dense.weight"] = matrix(hidden, heads * head)
        tensors[prefix + "post_attention_layernorm.weight"] = vector(hidden, 1)
        tensors[prefix + "mlp.dense_h_to_4h.weight"] = matrix(2 * ffn, hidden)
        tensors[prefix + "mlp.dense_4h_to_h.weight"] = matrix(hidden, ffn)
    tensors["transformer.encoder.final_layernorm.weight"] = vector(hidden, 1)
    tensors["transformer.output_layer.weight"] = matrix(vocabulary, hidden, 0.3 * math.sqrt(hidden))
    return tensors


def save_safetensors(path, tensors):
    """Write numpy arrays of float16 or float32 as a safetensors file."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, value in tensors.items():
        kind = {"float16": "F16", "float32": "F32"}[value.dtype.name]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in tensors.values()))


def rms_norm(x, weight, epsilon):
    """Return each row divided by its root mean square, times the weight."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon) * weight


def rotate(head, positions, config):
    """Rotate the first half of a head's dimensions, neighbour with neighbour.  head [tokens, kv_channels]"""
    ratio = config.get("rope_ratio", 1)
    stretches_positions = "chatglm2" in config.get("_name_or_path", "")
    base = 10000 * (1 if stretches_positions else ratio)
    steps = positions / (ratio if stretches_positions else 1)
    rotated = head.copy()
    size = config["kv_channels"] // 2
    for pair in range(size // 2):
        angle = steps * base ** (-2 * pair / size)
        even, odd = head[:, 2 * pair], head[:, 2 * pair + 1]
        rotated[:, 2 * pair] = even * np.cos(angle) - odd * np.sin(angle)
        rotated[:, 2 * pair + 1] = odd * np.cos(angle) + even * np.sin(angle)
    return rotated


def attention(x, weights, config):
    """Return what self-attention makes of normed rows [tokens, hidden]."""
    size, heads, groups = config["kv_channels"], config["num_attention_heads"], config["multi_query_group_num"]
    mixed = x @ weights("self_attention.query_key_value.weight").T + weights("self_attention.query_key_value.bias")
    queries, keys, values = np.split(mixed, [heads * size, (heads + groups) * size], axis=1)
    positions = np.arange(len(x), dtype=np.float64)
    out = []
    for head in range(heads):
        group = head // (heads // groups)
        query = rotate(queries[:, head * size : (head + 1) * size], positions, config)
        key = rotate(keys[:, group * size : (group + 1) * size], positions, config)
        scores = query @ key.T / math.sqrt(size)
        scores[np.triu_indices(len(x), 1)] = -np.inf
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        out.append(share / share.sum(axis=1, keepdims=True) @ values[:, group * size : (group + 1) * size])
    return np.concatenate(out, axis=1) @ weights("self_attention.dense.weight").T


def feed_forward(x, weights):
    """Return what the gated network makes of normed rows: the first half of the rows of h_to_4h is the gate."""
    gate, up = np.split(x @ weights("mlp.dense_h_to_4h.weight").T, 2, axis=1)
    return gate / (1 + np.exp(-gate)) * up @ weights("mlp.dense_4h_to_h.weight").T


def logits_of(ids, tensors, config):
    """Return the logits at all positions of a sequence, [tokens, vocabulary]."""
    x = tensors["transformer.embedding.word_embeddings.weight"].astype(np.float64)[ids]
    epsilon = config["layernorm_epsilon"]
    for layer in range(config["num_layers"]):
        def weights(name, prefix=f"transformer.encoder.layers.{layer}."):
            return tensors[prefix + name].astype(np.float64)

        x = x + attention(rms_norm(x, weights("input_layernorm.weight"), epsilon), weights, config)
        x = x + feed_forward(rms_norm(x, weights("post_attention_layernorm.weight"), epsilon), weights)
    x = rms_norm(x, tensors["transformer.encoder.final_layernorm.weight"].astype(np.float64), epsilon)
    return x @ tensors["transformer.output_layer.weight"].astype(np.float64).T


def greedy(ids, tensors, config):
    """Return the greedy continuation and the margin of each step."""
    ids, margins = list(ids), []
    for _ in range(NEW_TOKENS):
        row = logits_of(ids, tensors, config)[-1]
        first, second = np.argsort(row)[::-1][:2]
        margins.append(round(float(row[first] - row[second]), 6))
        ids.append(int(first))
    return ids[-NEW_TOKENS:], margins


def main():
    """Write every checkpoint and its reference."""
    out = Path(sys.argv[1]) / "chatglm"
    for index, (name, spec) in enumerate(MODELS.items()):
        random = np.random.default_rng(SEED + index)
        config = {**BASE, **spec}
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        tensors = random_tensors(config, random)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_safetensors(folder / "model.safetensors", tensors)
        prompts, arrays = [], {}
        for i, length in enumerate(PROMPT_LENGTHS):
            ids = random.integers(4, config["padded_vocab_size"], length).tolist()
            logits = logits_of(ids, tensors, config)
            continuation, margins = greedy(ids, tensors, config)
            arrays[f"prompt{i}.logits"] = logits.astype(np.float32)
            prompts.append({"ids": ids, "argmax": logits.argmax(axis=1).tolist(), "logit_std": round(float(logits.std()), 4),
                            "continuation": continuation, "margins": margins})
        save_safetensors(folder / "logits.safetensors", arrays)
        write_json(folder / "reference.json", {"provenance": {**provenance(__file__, SEED + index), "numpy": np.__version__}, "prompts": prompts})
        print(name, [p["logit_std"] for p in prompts], min(min(p["margins"]) for p in prompts))


if __name__ == "__main__":
    main()
