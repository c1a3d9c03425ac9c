"""Write random blocks of GGUF's quantised types and the values that they stand for.

Usage: gguf_blocks.py OUT_DIR   (writes OUT_DIR/gguf-blocks.json; needs numpy and nothing else)

Every block is read bit by bit from the published structures of ggml, value by value, with the position of each value
worked out from its index, which is another way than a decoder goes. Scales are finite float16 numbers.
"""

import sys
from pathlib import Path

import numpy as np

from common import provenance, write_json

SEED = 902
BLOCKS = 6


def half(data, at):
    """Return the float16 at a byte."""
    return float(np.frombuffer(bytes(data[at : at + 2]), np.float16)[0])


def nibble(byte, high):
    """Return the low or the high four bits."""
    return byte >> 4 if high else byte & 15


def signed(byte):
    """Return a byte as a signed number."""
    return byte - 256 if byte > 127 else byte


def value_q8_0(data, i):
    """Return value i of 32: a float16 scale, then 32 signed bytes."""
    return half(data, 0) * signed(data[2 + i])


def value_q4_0(data, i):
    """Return value i of 32: values 0..15 are low nibbles of the 16 bytes, 16..31 high ones."""
    return half(data, 0) * (nibble(data[2 + i % 16], i >= 16) - 8)


def value_q4_1(data, i):
    """Return value i of 32: a float16 scale and a float16 minimum, then the same nibbles."""
    return half(data, 0) * nibble(data[4 + i % 16], i >= 16) + half(data, 2)


def scale_and_minimum(scales, group):
    """Return the 6-bit scale and minimum of a group: groups 4..7 have their top bits in the bytes of groups 0..3."""
    if group < 4:
        return scales[group] & 63, scales[group + 4] & 63
    low = scales[group + 4]
    return (low & 15) + (scales[group - 4] >> 6 << 4), (low >> 4) + (scales[group] >> 6 << 4)


def value_k(data, i, has_fifth):
    """Return value i of 256 of Q4_K or Q5_K."""
    group, within = i // 32, i % 32
    scale, minimum = scale_and_minimum(data[4:16], group)
    start = 48 if has_fifth else 16
    code = nibble(data[start + group // 2 * 32 + within], group % 2 == 1)
    if has_fifth and data[16 + within] & (1 << group):
        code += 16
    return half(data, 0) * scale * code - half(data, 2) * minimum


def value_q6_k(data, i):
    """Return value i of 256: ql[128], qh[64], int8 scales[16], float16 scale."""
    part, within = i % 128 // 32, i % 32
    low = nibble(data[i // 128 * 64 + part % 2 * 32 + within], part >= 2)
    high = data[128 + i // 128 * 32 + within] >> (2 * part) & 3
    return half(data, 208) * signed(data[192 + i // 16]) * (low + 16 * high - 32)


TYPES = {"Q8_0": (32, 34, [0], value_q8_0), "Q4_0": (32, 18, [0], value_q4_0),
         "Q4_K": (256, 144, [0, 2], lambda data, i: value_k(data, i, False)),
         "Q5_K": (256, 176, [0, 2], lambda data, i: value_k(data, i, True)), "Q6_K": (256, 210, [208], value_q6_k),
         "Q4_1": (32, 20, [0, 2], value_q4_1)}


def main():
    """Write the blocks of every type."""
    random = np.random.default_rng(SEED)
    types = {}
    for name, (count, size, scales, value) in TYPES.items():
        data = random.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
        for at in scales:
            data[:, at : at + 2] = random.normal(0, 0.02, BLOCKS).astype(np.float16).view(np.uint8).reshape(BLOCKS, 2)
        values = [[np.float32(value([int(byte) for byte in block], i)).item() for i in range(count)] for block in data]
        types[name] = {"bytes": [block.tolist() for block in data], "values": values}
    write_json(Path(sys.argv[1]) / "gguf-blocks.json", {"provenance": {**provenance(__file__, SEED), "numpy": np.__version__}, "types": types})


if __name__ == "__main__":
    main()
