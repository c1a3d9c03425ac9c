"""Makes reference data for the SentencePiece reader: two tiny trained models and the ids that SentencePiece gives.

Run with sentencepiece 0.2.2 (pip install sentencepiece==0.2.2):
    python oracle/sentencepiece_ids.py oracle/data/sentencepiece
Training is deterministic; there is no seed to set.
"""

import base64
import hashlib
import json
import pathlib
import sys
import tempfile

import sentencepiece

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
    "",
    " ",
    "a",
    " a",
    "  two  spaces  ",
    "The small boat came back.",
    "the shells of the children",
    "Ein weißer Baum über der Mühle",
    "孩子在海边。",
    "unseen: Ω ✓ 🙂 👩\u200d🚀 end",
    "line one\nline two\n\n\tindented",
    "def add(left, right):\n    return left + right",
    "aaaaaaaaaaaaaaaa the the the the",
    "ﬁ ligature and ﾊﾝｶｸ",
    "<custom>inside<custom> text",
]


def train(**options):
    model = bytearray()

    class Sink:
        def write(self, data):
            model.extend(data)

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=Sink(),
        byte_fallback=True,
        split_digits=True,
        user_defined_symbols=["<custom>"],
        minloglevel=2,
        **options,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=bytes(model))
    cases = []
    for text in TEXTS:
        ids = processor.encode(text)
        cases.append({"text": text, "ids": ids, "decoded": processor.decode(ids)})
    return {"model": base64.b64encode(bytes(model)).decode(), "cases": cases}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    made_by = {
        "sentencepiece": sentencepiece.__version__,
        "script_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(),
    }
    # As LLaMA-2 was trained: BPE, no normalisation, spaces kept.
    bpe = train(
        model_type="bpe",
        vocab_size=500,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
    )
    # SentencePiece's other ways: unigram, a (small) normalisation table, runs of spaces joined.
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write("FB01\t66 69\nFF8A\t30CF\nDF\t73 73\n")
        rules.flush()
        unigram = train(model_type="unigram", vocab_size=410, normalization_rule_tsv=rules.name)
    for name, data in (("bpe", bpe), ("unigram", unigram)):
        path = folder / f"{name}.json"
        path.write_text(json.dumps({**made_by, **data}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(path, path.stat().st_size)


main()
