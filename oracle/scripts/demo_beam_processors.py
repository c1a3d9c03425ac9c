"""Write beam search outputs of the demo model under random combinations of logits processors.

Usage: demo_beam_processors.py MODEL_DIR OUT_DIR

Tokens to bias, forbid and stop at are taken from what a plain beam search finds, so that they matter.
"""

import random
import sys
from pathlib import Path

import torch
import transformers
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from common import demo_prompts, load_demo, provenance, write_json

LIMIT = 24
COUNT = 64
SEED = 20261122
END_ID = 2


class Penalties(LogitsProcessor):
    """The OpenAI penalties, on generated tokens, applied to the scores that a search accumulates."""

    def __init__(self, prompt_length, presence, frequency):
        """Remember where the output begins."""
        self.prompt_length, self.presence, self.frequency = prompt_length, presence, frequency

    def __call__(self, input_ids, scores):
        """Return scores - presence * (count > 0) - frequency * count."""
        counts = torch.zeros_like(scores)
        output = input_ids[:, self.prompt_length:]
        counts.scatter_add_(1, output, torch.ones_like(output, dtype=scores.dtype))
        return scores - self.presence * (counts > 0) - self.frequency * counts


class StopLists(StoppingCriteria):
    """Ends a beam whose output ends with one of the lists."""

    def __init__(self, prompt_length, lists):
        """Remember where the output begins."""
        self.prompt_length, self.lists = prompt_length, lists

    def __call__(self, input_ids, scores, **kwargs):
        """Return one flag per row."""
        rows = [row[self.prompt_length:] for row in input_ids.tolist()]
        ends = [any(len(row) >= len(stop) and row[-len(stop):] == stop for stop in self.lists) for row in rows]
        return torch.tensor(ends, device=input_ids.device)


def search(model, ids, item):
    """Run one search; returns sequences with their scores."""
    options = {"num_beams": item["num_beams"], "num_return_sequences": item["num_beams"],
               "length_penalty": item["length_penalty"], "early_stopping": item["early_stopping"]}
    if item.get("repetition_penalty", 1.0) != 1.0:
        options["repetition_penalty"] = item["repetition_penalty"]
    if item.get("min_new_tokens"):
        options["min_new_tokens"] = item["min_new_tokens"]
    if item.get("bad_words_ids"):
        options["bad_words_ids"] = item["bad_words_ids"]
    if item.get("sequence_bias"):
        options["sequence_bias"] = [[[token], value] for token, value in item["sequence_bias"]]
    presence, frequency = item.get("presence_penalty", 0.0), item.get("frequency_penalty", 0.0)
    if presence or frequency:
        options["logits_processor"] = LogitsProcessorList([Penalties(len(ids), presence, frequency)])
    if item.get("stop_lists"):
        options["stopping_criteria"] = StoppingCriteriaList([StopLists(len(ids), item["stop_lists"])])
    model.generation_config.eos_token_id = None if item.get("ignore_eos") else END_ID
    result = model.generate(
        torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), max_new_tokens=LIMIT, do_sample=False,
        output_scores=True, return_dict_in_generate=True, pad_token_id=0, **options)
    sequences = []
    for row, score in zip(result.sequences.tolist(), result.sequences_scores.tolist()):
        sequences.append({"new_ids": without_fill(row[len(ids):], item), "score": score})
    return sequences


def without_fill(new, item):
    """Return a row without what fills it behind its end: end ids, or -1 when there is none."""
    if item.get("ignore_eos"):
        return [token for token in new if token >= 0]
    if END_ID not in new:
        return new
    output = new[:new.index(END_ID)]
    is_stopped = any(output[-len(stop):] == stop for stop in item.get("stop_lists", []))
    return output if is_stopped else output + [END_ID]


def random_item(rng, model, prompts):
    """Draw a prompt and a combination of settings, each of which is present every second time or so."""
    text, ids = rng.choice(prompts)
    item = {"prompt": text, "prompt_ids": ids, "num_beams": rng.choice([2, 3, 4]),
            "length_penalty": rng.choice([-0.5, 0.0, 0.6, 1.0, 2.0]), "early_stopping": rng.random() < 0.5}
    plain = [sequence["new_ids"] for sequence in search(model, ids, item)]
    tokens = sorted({token for row in plain for token in row} - {END_ID})
    pairs = [[a, b] for row in plain for a, b in zip(row, row[1:]) if b != END_ID]
    wants = lambda share: rng.random() < share  # noqa: E731
    if wants(0.5):
        item["repetition_penalty"] = rng.choice([0.9, 1.1, 1.3, 1.8])
    if wants(0.4):
        item["presence_penalty"] = rng.choice([-0.5, 0.4, 1.5])
    if wants(0.4):
        item["frequency_penalty"] = rng.choice([-0.2, 0.3, 1.0])
    if wants(0.4):
        item["sequence_bias"] = [[token, rng.choice([-6.0, -1.5, 0.75, 2.5])] for token in rng.sample(tokens, min(4, len(tokens)))]
        if wants(0.3):
            item["sequence_bias"].append([END_ID, rng.choice([-2.0, 2.0])])
    if wants(0.5):
        words = [[token] for token in rng.sample(tokens, min(2, len(tokens)))]
        item["bad_words_ids"] = words + rng.sample(pairs, min(3, len(pairs)))
    if wants(0.5):
        item["min_new_tokens"] = rng.choice([4, 12, 20])
    if wants(0.3):
        item["ignore_eos"] = True
        item.pop("min_new_tokens", None)
        item["sequence_bias"] = [entry for entry in item.get("sequence_bias", []) if entry[0] != END_ID]
    if wants(0.3):
        item["stop_lists"] = rng.sample(pairs, min(2, len(pairs)))
    item["sequences"] = search(model, ids, item)
    item["is_changed"] = [sequence["new_ids"] for sequence in item["sequences"]] != plain
    return item


def main():
    """Run all items."""
    model_dir, out = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(4)
    transformers.logging.set_verbosity_error()
    model, tokenizer = load_demo(model_dir)
    rng, prompts = random.Random(SEED), demo_prompts(tokenizer)
    items = [random_item(rng, model, prompts) for _ in range(COUNT)]
    write_json(out / "beam-processors-demo.json", {
        "provenance": provenance(__file__, SEED), "max_new_tokens": LIMIT,
        "notes": {"presence_frequency": "over generated tokens only, after the processors of transformers",
                  "stop_lists": "a beam ends when its output ends with one; the tokens of the list are part of `new_ids`",
                  "is_changed": "whether a search without processors finds other sequences"}, "items": items})


if __name__ == "__main__":
    main()
