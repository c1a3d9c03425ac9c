"""Write two tiny trained SentencePiece models with the ids and texts that SentencePiece gives.

Usage: sentencepiece_ids.py OUT_DIR

Training is deterministic; there is no seed to set.
"""

import base64
import sys
import tempfile
from pathlib import Path

import sentencepiece

from common import provenance, write_json

CORPUS = [
    "The small boat went out to sea in the morning, and it came back in the evening.",
    "A child found a shell on the beach; the shell was white and very smooth.",
    "There was once a miller who had three sons, a mill, a donkey and a cat.",
    "When the rain stopped, the children ran to the garden and looked for snails.",
    "Das Kind fand eine Muschel am Strand, und die Muschel war weiß und glatt.",
    "Ein Müller hatte drei Söhne, eine Mühle, einen Esel und eine Katze.",
    "Die Größe der Bäume überraschte alle, die aus der Stadt kamen.",
    "孩子在海边找到一个白色的贝壳。孩子很高兴。",
    "def add(left, right):\n    return left + right",
] * 4
TEXTS = [
    "", " ", "a", " a", "  two  spaces  ", "The small boat came back.", "the shells of the children",
    "Ein weißer Baum über der Mühle", "孩子在海边。", "unseen: Ω ✓ 🙂 👩\u200d🚀 end", "line one\nline two\n\n\tindented",
    "def add(left, right):\n    return left + right", "aaaaaaaaaaaaaaaa the the the the", "ﬁ ligature and ﾊﾝｶｸ",
    "<custom>inside<custom> text",
]
# A small normalisation table: code points in hexadecimal, from and to.
RULES = "FB01\t66 69\nFF8A\t30CF\nDF\t73 73\n"


class Sink:
    """Collects the trained model in memory."""

    def __init__(self):
        self.data = bytearray()

    def write(self, data):
        self.data.extend(data)


def train(**options):
    """Return a trained model and what it makes of the texts."""
    sink = Sink()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=sink, byte_fallback=True, split_digits=True,
        user_defined_symbols=["<custom>"], minloglevel=2, **options,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=bytes(sink.data))
    cases = [{"text": text, "ids": processor.encode(text), "decoded": processor.decode(processor.encode(text))} for text in TEXTS]
    return {"model": base64.b64encode(bytes(sink.data)).decode(), "cases": cases}


def main():
    """Write the two files."""
    folder = Path(sys.argv[1]) / "sentencepiece"
    folder.mkdir(parents=True, exist_ok=True)
    # As LLaMA-2 was trained: BPE, no normalisation, spaces kept.
    bpe = train(model_type="bpe", vocab_size=500, normalization_rule_name="identity", remove_extra_whitespaces=False)
    # SentencePiece's other ways: unigram, a normalisation table, runs of spaces joined.
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(RULES)
        rules.flush()
        unigram = train(model_type="unigram", vocab_size=410, normalization_rule_tsv=rules.name)
    for name, data in (("bpe", bpe), ("unigram", unigram)):
        write_json(folder / f"{name}.json", {"provenance": provenance(__file__), **data})


if __name__ == "__main__":
    main()
