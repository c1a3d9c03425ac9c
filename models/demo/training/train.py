"""Train the demo model on one GPU and write it in the Hugging Face LLaMA format.

Usage: train.py CORPUS_DIR MODEL_DIR [--minutes 2.5] [--steps N]

MODEL_DIR must hold tokenizer.json.  Master weights are fp32, the matrix
products run in bf16, the saved weights are fp16.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 1,
    "eos_token_id": 2, "head_dim": 32, "hidden_act": "silu", "hidden_size": 256, "initializer_range": 0.02,
    "intermediate_size": 688, "max_position_embeddings": 1024, "mlp_bias": False, "model_type": "llama",
    "num_attention_heads": 8, "num_hidden_layers": 6, "num_key_value_heads": 4, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0, "tie_word_embeddings": False,
    "torch_dtype": "float16", "use_cache": True, "vocab_size": 4096,
}
GENERATION = {"bos_token_id": 1, "eos_token_id": 2, "do_sample": True, "temperature": 0.8, "top_p": 0.95,
              "max_length": 1024}
LENGTH = 640
ROWS = 96
PEAK_RATE = 2.5e-3
WARMUP = 100
SPACE = "▁"
PROMPTS = [
    "What is deep learning ?", "Born in north-east France, Soyer trained as a", "Once upon a time", "The capital of France is",
    "Explain what a GPU does.", "Write a short story about a dragon.", "Hello", "How do I make a soup?", "Why is the sky blue?",
    "Tell me about Japan.", "[INST] What is deep learning ? [/INST]", "[INST] Explain what a GPU does. [/INST]",
    "[INST] Write a short story about a dragon. [/INST]", "[INST] Hello [/INST]",
    "[INST] <<SYS>>\nYou are a helpful assistant.\n<</SYS>>\n\nWhat is a KV cache? [/INST]", "[INST] What is 3 plus 4? [/INST]",
    "[INST] Say hello in Japanese. [/INST]", "[INST] How can I learn TypeScript? [/INST]", "[INST] What is the best colour? [/INST]",
]


class Attention(nn.Module):
    """Causal attention with grouped key/value heads and rotary positions."""

    def __init__(self, c):
        super().__init__()
        self.dim, width, kv = c["head_dim"], c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
        self.q_proj = nn.Linear(c["hidden_size"], width, bias=False)
        self.k_proj = nn.Linear(c["hidden_size"], kv, bias=False)
        self.v_proj = nn.Linear(c["hidden_size"], kv, bias=False)
        self.o_proj = nn.Linear(width, c["hidden_size"], bias=False)

    def forward(self, x, cos, sin):
        """Return the attention output for `x` of shape (rows, length, hidden)."""
        b, t, _ = x.shape
        q, k, v = (p(x).view(b, t, -1, self.dim).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class Mlp(nn.Module):
    """The gated feed-forward part."""

    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        """Return down(silu(gate(x)) * up(x))."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """One decoder layer."""

    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), Mlp(c)
        self.input_layernorm = nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])
        self.post_attention_layernorm = nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])

    def forward(self, x, cos, sin):
        """Return the hidden states after this layer."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """A LLaMA whose parameter names are those of the Hugging Face checkpoints."""

    def __init__(self, c):
        super().__init__()
        self.model = nn.ModuleDict({
            "embed_tokens": nn.Embedding(c["vocab_size"], c["hidden_size"]),
            "layers": nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"])),
            "norm": nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])})
        self.lm_head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)
        half = torch.arange(0, c["head_dim"], 2).float() / c["head_dim"]
        angles = torch.outer(torch.arange(c["max_position_embeddings"]).float(), c["rope_theta"] ** -half)
        angles = torch.cat([angles, angles], dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                scale = 1 / math.sqrt(2 * c["num_hidden_layers"]) if "o_proj" in name or "down_proj" in name else 1
                nn.init.normal_(p, std=0.02 * scale)

    def forward(self, ids, targets=None):
        """Return the logits, or the mean loss over the targets that are not -1."""
        x = self.model["embed_tokens"](ids)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for layer in self.model["layers"]:
            x = layer(x, cos, sin)
        logits = self.lm_head(self.model["norm"](x))
        if targets is None:
            return logits
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-1)


def rotate(x, cos, sin):
    """Apply rotary positions (the halves form of Hugging Face)."""
    a, b = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-b, a], dim=-1) * sin).to(x.dtype)


def encode_documents(tokenizer, texts):
    """Return (all token ids, start of every document); each document is `<s> ... </s>`."""
    out, starts, total = [], [0], 0
    for i in range(0, len(texts), 20_000):
        batch = [f"<s>{t}</s>" for t in texts[i : i + 20_000]]
        for e in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            out.append(np.array(e.ids, dtype=np.int32))
            total += len(out[-1])
            starts.append(total)
    return np.concatenate(out), np.array(starts)


def pack(tokens, starts, rng):
    """Shuffle the documents and cut them into rows that all begin with a document."""
    order = rng.permutation(len(starts) - 1)
    lengths = (starts[1:] - starts[:-1])[order]
    ends = np.cumsum(lengths)
    begins = ends - lengths
    source = np.repeat(starts[:-1][order] - begins, lengths) + np.arange(ends[-1])
    stream, rows, position = tokens[source], [], 0
    while position + LENGTH + 1 <= len(stream):
        rows.append(position)
        following = np.searchsorted(begins, position + LENGTH + 1)
        if following == len(begins):
            break
        position = begins[following]
    rows = np.array(rows)
    return stream[rows[rng.permutation(len(rows))][:, None] + np.arange(LENGTH + 1)]


def batches(tokens, starts, seed, space, eos):
    """Yield (inputs, targets) for ever; the space before an end token is no target."""
    rng = np.random.default_rng(seed)
    while True:
        rows = pack(tokens, starts, rng)
        data = torch.from_numpy(rows).cuda().long()
        for i in range(0, len(rows) - ROWS + 1, ROWS):
            row = data[i : i + ROWS]
            targets = row[:, 1:].clone()
            before_end = torch.zeros_like(targets, dtype=torch.bool)
            before_end[:, :-1] = (targets[:, :-1] == space) & (targets[:, 1:] == eos)
            targets[before_end] = -1
            yield row[:, :-1].contiguous(), targets


@torch.no_grad()
def heldout_loss(model, tokenizer, path):
    """Return the mean loss per predicted token of the held-out documents in fp32."""
    total = count = 0
    for text in path.read_text(encoding="utf-8").split("\n</s>\n"):
        if text.strip():
            ids = torch.tensor([[1, *tokenizer.encode(text, add_special_tokens=False).ids, 2]], device="cuda")
            for i in range(0, ids.shape[1] - 1, 512):
                part = ids[:, i : i + 513]
                n = part.shape[1] - 1
                total += model(part[:, :-1], part[:, 1:]).item() * n
                count += n
    return total / count


@torch.no_grad()
def generate(model, tokenizer, prompt, temperature, limit=200):
    """Return the continuation of `prompt`, with `</s>` where the model ended it."""
    ids = [1, *tokenizer.encode(prompt, add_special_tokens=False).ids]
    start = len(ids)
    while len(ids) < start + limit and ids[-1] != 2:
        logits = model(torch.tensor([ids], device="cuda"))[0, -1]
        choice = logits.argmax() if temperature == 0 else torch.multinomial(F.softmax(logits / temperature, -1), 1)
        ids.append(int(choice))
    return tokenizer.decode(ids[start:], skip_special_tokens=False)


def train(model, stream, minutes, steps):
    """Train until the steps (or those that fit into the minutes) are done; return (steps, seconds)."""
    decay = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
                                  lr=PEAK_RATE, betas=(0.9, 0.95), fused=True)
    compiled = torch.compile(model)
    step, begin = 0, time.time()
    while steps is None or step < steps:
        if steps is None and step == 60:
            torch.cuda.synchronize()
            steps = 60 + int((minutes * 60 - (time.time() - begin)) / ((time.time() - mark) / 40))
            print(f"{steps} steps of {ROWS * LENGTH} tokens", flush=True)
        if step == 20:
            torch.cuda.synchronize()
            mark = time.time()
        horizon = steps or 100_000
        rate = PEAK_RATE * min(1, (step + 1) / WARMUP) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * step / horizon)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        ids, targets = next(stream)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = compiled(ids, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 250 == 0:
            print(f"step {step} loss {loss.item():.4f} {time.time() - begin:.0f} s", flush=True)
        step += 1
    torch.cuda.synchronize()
    return step, time.time() - begin


def main():
    """Parse the command line, train, save, print samples."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    with open(args.corpus / "train.jsonl", encoding="utf-8") as file:
        tokens, starts = encode_documents(tokenizer, [json.loads(line) for line in file])
    print(f"{len(starts) - 1} documents, {len(tokens)} tokens", flush=True)
    model = Llama(CONFIG).cuda()
    stream = batches(tokens, starts, args.seed, tokenizer.token_to_id(SPACE), 2)
    steps, seconds = train(model, stream, args.minutes, args.steps)
    torch.set_float32_matmul_precision("highest")
    heldout = args.corpus / "heldout.txt"
    report = {"steps": steps, "seconds": round(seconds), "tokens": steps * ROWS * LENGTH, "corpus_tokens": len(tokens),
              "parameters": sum(p.numel() for p in model.parameters()),
              "heldout_perplexity_fp32": math.exp(heldout_loss(model, tokenizer, heldout))}
    weights = {k: v.detach().half().cpu().contiguous() for k, v in model.state_dict().items()}
    model.load_state_dict({k: v.float() for k, v in weights.items()})
    report["heldout_perplexity_fp16_weights"] = math.exp(heldout_loss(model, tokenizer, heldout))
    (args.model / "training").mkdir(exist_ok=True)
    save_file(weights, args.model / "model.safetensors", metadata={"format": "pt"})
    for name, value in (("config", CONFIG), ("generation_config", GENERATION), ("training/training_report", report)):
        (args.model / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report), flush=True)
    for prompt in PROMPTS:
        for temperature in (0, 0.8):
            print(f"--- {prompt!r} T={temperature}\n{generate(model, tokenizer, prompt, temperature)}", flush=True)


if __name__ == "__main__":
    main()
