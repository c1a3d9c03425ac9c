"""What all oracle scripts share: provenance, JSON output, loading the demo model."""

import hashlib
import json
import sys
from pathlib import Path


def provenance(script, seed=None):
    """Return which script, seed and library versions made a file."""
    versions = {}
    for name in ("torch", "transformers", "tokenizers", "sentencepiece"):
        if name in sys.modules:
            versions[name] = sys.modules[name].__version__
    return {"script": Path(script).name, "script_sha256": hashlib.sha256(Path(script).read_bytes()).hexdigest(),
            "seed": seed, "versions": versions}


def write_json(path, value):
    """Write one JSON file, one top-level entry per line group."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    Path(path).write_text(compact(text) + "\n", encoding="utf-8")


def compact(text):
    """Join the lines of innermost lists of numbers."""
    import re
    return re.sub(r"\[\s+([-\d.,\seE+infNa]+?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)


def load_demo(model_dir, dtype="float32"):
    """Return (model, tokenizer) of the demo model; weights rounded to fp16 as published, upcast to `dtype`."""
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM
    torch.manual_seed(0)
    model = LlamaForCausalLM.from_pretrained(model_dir, dtype=getattr(torch, dtype), attn_implementation="eager").eval()
    model.generation_config.do_sample = False
    for name in ("temperature", "top_p", "top_k", "max_length"):
        setattr(model.generation_config, name, None)
    return model, Tokenizer.from_file(str(Path(model_dir) / "tokenizer.json"))


RAW_PROMPTS = [
    "What is deep learning ?", "Born in north-east France, Soyer trained as a", "Once upon a time", "The capital of France is",
    "Explain what a GPU does.", "Write a short story about a dragon.", "Hello", "How do I make a soup?", "Why is the sky blue?",
    "One morning, a girl named Zoë", "Give me a list of three fruits.", "The weather on Monday:",
]
CHAT_MESSAGES = [
    ["What is deep learning ?"], ["Explain what a GPU does."], ["Write a short story about a dragon."], ["Hello"],
    ["What is the capital of Japan?"], ["What is 3 plus 4?"], ["Say hello in Japanese."], ["Name four animals."],
    ["Who are you?"], ["Write a poem about the sea."], ["What is a token?", "A token is a small piece of text.", "Thank you."],
    ["<<SYS>>\nYou are a helpful assistant.\n<</SYS>>\n\nWhat is a KV cache?"],
]


def chat_text(messages):
    """Return alternating user/assistant messages in the demo model's chat format."""
    parts = []
    for i, text in enumerate(messages):
        parts.append(f"<s>[INST] {text} [/INST]" if i % 2 == 0 else f" {text} </s>")
    return "".join(parts)


def demo_prompts(tokenizer):
    """Return the 24 prompts as (text, ids): 12 raw ones with `<s>` added, 12 chats whose text holds `<s>`."""
    out = [(p, tokenizer.encode(p).ids) for p in RAW_PROMPTS]
    for messages in CHAT_MESSAGES:
        text = chat_text(messages)
        out.append((text, tokenizer.encode(text, add_special_tokens=False).ids))
    return out
