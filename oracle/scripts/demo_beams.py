"""Write beam search outputs of the demo model.

Usage: demo_beams.py MODEL_DIR OUT_DIR
"""

import sys
from pathlib import Path

import torch
import transformers  # noqa: F401  (its version is recorded)

from common import demo_prompts, load_demo, provenance, write_json

LIMIT = 32
CHOSEN = [3, 6, 10, 12, 15, 17]


def main():
    """Run all settings on six prompts."""
    model_dir, out = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(4)
    model, tokenizer = load_demo(model_dir)
    prompts, items = demo_prompts(tokenizer), []
    for index in CHOSEN:
        text, ids = prompts[index]
        for beams in (2, 4):
            for length_penalty in (0.6, 1.0, 2.0):
                for early in (True, False):
                    result = model.generate(
                        torch.tensor([ids]), num_beams=beams, num_return_sequences=beams, length_penalty=length_penalty,
                        early_stopping=early, max_new_tokens=LIMIT, do_sample=False, output_scores=True,
                        return_dict_in_generate=True, pad_token_id=0)
                    sequences = []
                    for row, score in zip(result.sequences.tolist(), result.sequences_scores.tolist()):
                        new = row[len(ids):]
                        while new and new[-1] == 0:
                            new.pop()
                        sequences.append({"new_ids": new, "score": score, "text": tokenizer.decode(new)})
                    items.append({"prompt": text, "prompt_ids": ids, "num_beams": beams, "length_penalty": length_penalty,
                                  "early_stopping": early, "sequences": sequences})
    write_json(out / "beams-demo.json", {"provenance": provenance(__file__), "max_new_tokens": LIMIT, "items": items})


if __name__ == "__main__":
    main()
