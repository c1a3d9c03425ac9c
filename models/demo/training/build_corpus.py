"""Write the training corpus of the demo model, and its held-out text.

Usage: build_corpus.py OUT_DIR [--megabytes 60] [--seed 1] [--workers 2]

OUT_DIR/train.jsonl holds one document per line (a JSON string).  A document is
what stands between `<s>` and `</s>`; chat documents of several turns contain
`</s><s>` between the turns, as the chat template writes them.
OUT_DIR/heldout.txt holds documents of other seeds; a line that contains only
`</s>` ends each document.
"""

import argparse
import json
import random
from multiprocessing import Pool
from pathlib import Path

from corpus import facts, misc, people, stories

SYSTEM_PROMPTS = """You are a helpful assistant.
You are a friendly assistant that answers in simple English.
You are a patient teacher. Explain everything in simple words.
Answer briefly and clearly.
You tell stories to children.
You are a helpful, honest and polite assistant.
You are Demo, a small language model.""".split("\n")
FOLLOW_UPS = [("Thank you.", "You are welcome! It was a pleasure to help you."), ("Thanks!", "You are welcome. Is there anything else that I can do for you?"),
              ("Goodbye!", "Goodbye! Have a nice day."), ("OK, that is all for today.", "All right. Have a nice day, and come back soon!")]


def pair(rng):
    """Return one (request, answer)."""
    kind = rng.random()
    if kind < 0.50:
        return facts.question_answer(rng)
    if kind < 0.74:
        text, request, _ = stories.make_story(rng)
        return request, text
    if kind < 0.80:
        text, question = people.biography(rng)
        return question, text
    return misc.any_pair(rng)


def chat(rng, multi_turn=True):
    """Return a conversation in the LLaMA-2 chat format, without the outer `<s>` and `</s>`."""
    turns = [pair(rng)]
    while multi_turn and rng.random() < 0.16:
        turns.append(pair(rng) if rng.random() < 0.7 else rng.choice(FOLLOW_UPS))
    system = f"<<SYS>>\n{rng.choice(SYSTEM_PROMPTS)}\n<</SYS>>\n\n" if rng.random() < 0.25 else ""
    parts = []
    for i, (question, answer) in enumerate(turns):
        parts.append(f"[INST] {system if i == 0 else ''}{question} [/INST] {answer}")
    return " </s><s>".join(parts)


def document(rng, multi_turn=True):
    """Return one document."""
    kind = rng.random()
    if kind < 0.30:
        return stories.story_document(rng)
    if kind < 0.60:
        return chat(rng, multi_turn)
    if kind < 0.78:
        question, answer = pair(rng) if rng.random() < 0.35 else facts.question_answer(rng)
        return question + rng.choice([" ", "\n", "\n", "\n\n"]) + answer
    if kind < 0.87:
        return facts.explanatory_text(rng)
    if kind < 0.93:
        return people.biography(rng)[0]
    return misc.any_text(rng)


def documents(seed, size, multi_turn=True):
    """Return documents of one seed with about `size` bytes in all."""
    rng, out, total = random.Random(seed), [], 0
    while total < size:
        text = document(rng, multi_turn).strip()
        out.append(text)
        total += len(text.encode("utf-8"))
    return out


def _part(arguments):
    seed, size = arguments
    return "".join(json.dumps(d, ensure_ascii=False) + "\n" for d in documents(seed, size))


def main():
    """Parse the command line and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--megabytes", type=int, default=60)
    parser.add_argument("--heldout-kilobytes", type=int, default=46)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    parts = [(args.seed * 100_003 + i, 1_000_000) for i in range(args.megabytes)]
    with Pool(args.workers) as pool, open(args.out / "train.jsonl", "w", encoding="utf-8") as file:
        for text in pool.imap(_part, parts):
            file.write(text)
    heldout = documents(f"heldout-{args.seed}", args.heldout_kilobytes * 1000, multi_turn=False)
    with open(args.out / "heldout.txt", "w", encoding="utf-8") as file:
        for text in heldout:
            file.write(text + "\n</s>\n")


if __name__ == "__main__":
    main()
