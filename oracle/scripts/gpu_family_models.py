"""Write tiny checkpoints of the model families with sizes that GPUs run, and what transformers computes from them.

Usage: gpu_family_models.py OUT_DIR   (writes OUT_DIR/families/NAME/)

Many checkpoints of family_models.py have head sizes that are no multiple of 16, on purpose: CPU kernels must take them, and
GPU kernels refuse them. Those here are forms of the same families with heads of 16 or 32 and layers that are multiples of 16.
"""

import json
import sys
from pathlib import Path

from common import provenance, write_json
from family_models import FAMILIES, LONG, SHORT, write_family

SEED = 31207
# Fewer inputs than the heads together have, as in published checkpoints with a head_dim of their own.
HEADS_OF_32 = {"head_dim": 32, "hidden_size": 48, "intermediate_size": 96}

# name: (family that it is a form of, what differs)
FORMS = {
    "gemma2-heads-of-32": ("gemma2", HEADS_OF_32),
    "gemma3-heads-of-32": ("gemma3", HEADS_OF_32),
    "glm4-heads-of-32": ("glm4", HEADS_OF_32),
    "qwen3-heads-of-32": ("qwen3", HEADS_OF_32),
    "mixtral-heads-of-16": ("mixtral", {"hidden_size": 64}),
    "qwen2-tied-heads-of-16": ("qwen2-tied", {"hidden_size": 64}),
    # Rotates three quarters of a head, and no prompt of the tests is as long as the length at which its factors change.
    "phi3-rotated-partly": ("phi3-short", {"partial_rotary_factor": 0.75, "tie_word_embeddings": True, "rope_scaling": {
        "long_factor": LONG[:6], "short_factor": SHORT[:6], "type": "longrope"}}),
}
GPU_FAMILIES = {name: (*FAMILIES[family][:2], {**FAMILIES[family][2], **changes}) for name, (family, changes) in FORMS.items()}


def main():
    """Write every form, each with the hash of the script that does the work beside that of this one."""
    out = Path(sys.argv[1])
    inputs = {"family_models.py": provenance(Path(__file__).with_name("family_models.py"))["script_sha256"]}
    FAMILIES.update(GPU_FAMILIES)
    for offset, name in enumerate(GPU_FAMILIES):
        write_family(out, name, SEED + offset)
        path = out / "families" / name / "reference.json"
        reference = json.loads(path.read_text(encoding="utf-8"))
        write_json(path, {**reference, "provenance": {**provenance(__file__, SEED + offset), "inputs": inputs}})


if __name__ == "__main__":
    main()
