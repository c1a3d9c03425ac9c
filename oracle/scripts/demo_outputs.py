"""Write the reference outputs of the demo model: logits, greedy texts, perplexity.

Usage: demo_outputs.py MODEL_DIR OUT_DIR
"""

import math
import sys
from pathlib import Path

import torch
import transformers  # noqa: F401  (its version is recorded)
from safetensors.torch import save_file

from common import demo_prompts, load_demo, provenance, write_json

LIMIT = 64
LONG_PROMPTS = [0, 2, 15, 23]
POSITIONS = 5


def margins(logits):
    """Return the distance between the best and the second best logit."""
    top = torch.topk(logits, 2).values
    return round((top[0] - top[1]).item(), 6)


def write_logits(model, tokenizer, out):
    """Write logits of four prompts, each followed by its greedy continuation, and hidden states of one."""
    arrays, info, prompts = {}, [], demo_prompts(tokenizer)
    for n, index in enumerate(LONG_PROMPTS):
        text, ids = prompts[index]
        full = model.generate(torch.tensor([ids]), max_new_tokens=40, do_sample=False)[0].tolist()
        with torch.no_grad():
            result = model(input_ids=torch.tensor([full]), use_cache=False, output_hidden_states=True)
        logits = result.logits[0].float()
        chosen = sorted({round(i * (len(full) - 1) / (POSITIONS - 1)) for i in range(POSITIONS)})
        arrays[f"prompt{n}.logits"] = logits[chosen].contiguous()
        info.append({"text": text, "ids": full, "argmax": logits.argmax(-1).tolist(), "positions": chosen})
        if n == 0:
            arrays["prompt0.embeddings"] = result.hidden_states[0][0].float().contiguous()
            arrays["prompt0.after_layer0"] = result.hidden_states[1][0].float().contiguous()
            arrays["prompt0.final_norm"] = result.hidden_states[-1][0].float().contiguous()
    save_file(arrays, out / "logits-demo.safetensors")
    write_json(out / "logits-demo.json", {"provenance": provenance(__file__), "dtype": "float32", "prompts": info})


def write_greedy(model, tokenizer, out):
    """Write greedy continuations with the margin of every step."""
    items = []
    for text, ids in demo_prompts(tokenizer):
        result = model.generate(torch.tensor([ids]), max_new_tokens=LIMIT, do_sample=False, output_logits=True, return_dict_in_generate=True)
        new = result.sequences[0, len(ids):].tolist()
        items.append({"prompt": text, "prompt_ids": ids, "new_ids": new, "text": tokenizer.decode(new),
                      "ended": new[-1] == 2, "margins": [margins(x[0]) for x in result.logits]})
    write_json(out / "generate-demo.json", {"provenance": provenance(__file__), "max_new_tokens": LIMIT, "prompts": items})


def document_losses(model, ids, window=512):
    """Return the negative log-likelihoods of all tokens after the first, window by window."""
    losses = []
    for i in range(0, len(ids) - 1, window):
        part = torch.tensor([ids[i : i + window + 1]])
        with torch.no_grad():
            logits = model(input_ids=part[:, :-1], use_cache=False).logits[0].float()
        losses += torch.nn.functional.cross_entropy(logits, part[0, 1:], reduction="none").tolist()
    return losses


def write_perplexity(model_dir, tokenizer, model, out):
    """Write the perplexity of heldout.txt in float32 and in float16 arithmetic."""
    documents = [d for d in (Path(model_dir) / "heldout.txt").read_text(encoding="utf-8").split("\n</s>\n") if d]
    ids = [[1, *tokenizer.encode(d, add_special_tokens=False).ids, 2] for d in documents]
    report = {"provenance": provenance(__file__), "definition": "Documents are separated by a line that holds only </s>. Each is encoded"
              " without special tokens, then <s> goes in front and </s> behind. Windows of up to 512 predictions: the window at i reads"
              " tokens i .. i+511 and predicts tokens i+1 .. i+512, the next one starts at i+512 with position 0 and no earlier context."
              " perplexity = exp(sum of negative log-likelihoods / number of predicted tokens) over all documents.",
              "documents": len(ids), "predicted_tokens": sum(len(x) - 1 for x in ids)}
    losses = [document_losses(model, x) for x in ids]
    report["float32"] = {"perplexity": math.exp(sum(map(sum, losses)) / report["predicted_tokens"]),
                         "first_documents": [sum(x) / len(x) for x in losses[:20]]}
    half, _ = load_demo(model_dir, "float16")
    losses = [document_losses(half, x) for x in ids]
    report["float16"] = {"perplexity": math.exp(sum(map(sum, losses)) / report["predicted_tokens"]),
                         "first_documents": [sum(x) / len(x) for x in losses[:20]]}
    print(report["float32"]["perplexity"], report["float16"]["perplexity"])
    write_json(out / "perplexity-demo.json", report)


def main():
    """Write all files of this script."""
    model_dir, out = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(4)
    model, tokenizer = load_demo(model_dir)
    write_logits(model, tokenizer, out)
    write_greedy(model, tokenizer, out)
    write_perplexity(model_dir, tokenizer, model, out)


if __name__ == "__main__":
    main()
