"""Write the probabilities after Hugging Face's logits warpers.

Usage: warpers.py OUT_DIR   (writes OUT_DIR/warpers.json)
"""

import sys
from pathlib import Path

import torch
from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from common import provenance, write_json

SEED = 7
CASES = [{"temperature": 0.5}, {"temperature": 1.7}, {"top_k": 1}, {"top_k": 10}, {"top_k": 64}, {"top_p": 0.1}, {"top_p": 0.5},
         {"top_p": 0.95}, {"min_p": 0.05}, {"min_p": 0.3}, {"temperature": 0.7, "top_k": 20}, {"temperature": 0.8, "top_p": 0.9},
         {"top_k": 12, "top_p": 0.7}, {"temperature": 1.3, "top_k": 30, "top_p": 0.9}, {"temperature": 0.8, "min_p": 0.1},
         {"temperature": 1.2, "top_k": 40, "top_p": 0.95, "min_p": 0.02}]
WARPERS = {"temperature": TemperatureLogitsWarper, "top_k": TopKLogitsWarper, "top_p": TopPLogitsWarper, "min_p": MinPLogitsWarper}


def main():
    """Apply every case, in the order of `generate`: temperature, top_k, top_p, min_p."""
    torch.manual_seed(SEED)
    rows = torch.randn(6, 64) * torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0, 6.0])[:, None]
    rows[5, 10] = rows[5, 20]
    cases = []
    for case in CASES:
        scores = rows.clone()
        for name, warper in WARPERS.items():
            if name in case:
                scores = warper(case[name])(None, scores)
        cases.append({"settings": case, "probabilities": torch.softmax(scores, -1).tolist()})
    write_json(Path(sys.argv[1]) / "warpers.json", {
        "provenance": provenance(__file__, SEED), "order": list(WARPERS), "logits": rows.tolist(), "cases": cases})


if __name__ == "__main__":
    main()
