"""Write greedy outputs of the demo model under penalties and other logits processors.

Usage: demo_penalties.py MODEL_DIR OUT_DIR
"""

import sys
from pathlib import Path

import torch
import transformers  # noqa: F401  (its version is recorded)

from common import demo_prompts, load_demo, provenance, write_json

LIMIT = 48
CHOSEN = [0, 2, 5, 13, 15, 20]


def top_margins(scores):
    """Return the top-1 minus top-2 score of every step."""
    out = []
    for row in scores:
        best = torch.topk(row.flatten(), 2).values
        out.append(round((best[0] - best[1]).item(), 6))
    return out


def own_loop(model, ids, presence, frequency):
    """Greedy with the OpenAI penalties: logit -= presence * (count > 0) + frequency * count, over generated tokens."""
    ids, new, rows = list(ids), [], []
    counts = torch.zeros(model.config.vocab_size)
    for _ in range(LIMIT):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids + new]), use_cache=False).logits[0, -1].float()
        logits = logits - presence * (counts > 0) - frequency * counts
        rows.append(logits)
        new.append(int(logits.argmax()))
        counts[new[-1]] += 1
        if new[-1] == 2:
            break
    return new, top_margins(rows)


def main():
    """Run every setting on six prompts."""
    model_dir, out = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(4)
    model, tokenizer = load_demo(model_dir)
    word = lambda text: tokenizer.encode(text, add_special_tokens=False).ids  # noqa: E731
    bad = [word("the"), word("learning"), word("was"), word("deep learning")]
    bias = [[word("and"), 3.0], [word("a"), -4.0], [word("."), -1.5], [[2], -2.0]]
    settings = {
        "repetition_penalty": {"repetition_penalty": 1.3},
        "min_new_tokens": {"min_new_tokens": 40},
        "bad_words_ids": {"bad_words_ids": bad},
        "sequence_bias": {"sequence_bias": bias},
        "repetition_penalty_and_min_new_tokens": {"repetition_penalty": 1.15, "min_new_tokens": 30},
    }
    prompts = demo_prompts(tokenizer)
    items = []
    for index in CHOSEN:
        text, ids = prompts[index]
        for name, options in settings.items():
            result = model.generate(torch.tensor([ids]), max_new_tokens=LIMIT, do_sample=False, output_scores=True,
                                    return_dict_in_generate=True, **options)
            new = result.sequences[0, len(ids):].tolist()
            items.append({"name": name, "options": options, "prompt": text, "prompt_ids": ids, "new_ids": new,
                          "text": tokenizer.decode(new), "margins": top_margins(result.scores)})
        for presence, frequency in ((0.8, 0.0), (0.0, 0.5), (0.8, 0.5), (6.0, 0.0), (0.0, 3.0), (4.0, 2.0)):
            new, margin = own_loop(model, ids, presence, frequency)
            items.append({"name": "presence_frequency", "options": {"presence_penalty": presence, "frequency_penalty": frequency},
                          "prompt": text, "prompt_ids": ids, "new_ids": new, "text": tokenizer.decode(new), "margins": margin})
    write_json(out / "penalties-demo.json", {
        "provenance": provenance(__file__), "max_new_tokens": LIMIT,
        "notes": {"repetition_penalty": "over prompt and generated tokens", "presence_frequency": "over generated tokens only",
                  "margins": "top-1 minus top-2 score after the processors"}, "items": items})


if __name__ == "__main__":
    main()
