"""Train a LLaMA-2-like SentencePiece BPE tokenizer and write it in both common forms.

Usage: train_tokenizer.py CORPUS_DIR MODEL_DIR

Writes MODEL_DIR/tokenizer.model (SentencePiece), tokenizer.json (the same
vocabulary for the Hugging Face `tokenizers` library) and the config files that
go with them.  Ids are equal in both forms.
"""

import argparse
import json
from pathlib import Path

import sentencepiece as spm

VOCAB_SIZE = 4096
ACCENTS = "éèêàâçîôùûëïüöäßñáíóúÉÖÜÄåøæãõčřšžłęąśćńőűīāğış¡¿°€–—…“”‘’«»·×÷"
OTHER = "你好谢再见今天气很我喜学习中文日こんにちはありがとうさよな本語안녕😀😊🎉🐉🚀❤⭐🔥👍🌍"
ASCII = "".join(chr(c) for c in range(0x21, 0x7F))
CHAT_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}"
    "{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}"
    "{% endfor %}"
)


def train(corpus, prefix, scratch):
    """Train the SentencePiece model on the lines of the corpus."""
    with open(corpus / "train.jsonl", encoding="utf-8") as source, open(scratch, "w", encoding="utf-8") as out:
        for i, line in enumerate(source):
            if i % 3 == 0:
                out.write(json.loads(line).replace(" </s><s>", "\n") + "\n")
    present = set(scratch.read_text(encoding="utf-8"))
    required = "".join(sorted(present & set(ASCII + ACCENTS + OTHER)))
    spm.SentencePieceTrainer.train(
        input=str(scratch), model_prefix=str(prefix), model_type="bpe", vocab_size=VOCAB_SIZE, byte_fallback=True,
        split_digits=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, character_coverage=0.9985, required_chars=required,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, num_threads=16, max_sentence_length=16384,
        input_sentence_size=150_000, shuffle_input_sentence=True, minloglevel=2)


def merges(pieces):
    """Return the BPE merges of a SentencePiece vocabulary, best first."""
    rank = {p: i for i, p in enumerate(pieces)}
    found = []
    for piece, i in rank.items():
        splits = [(piece[:k], piece[k:]) for k in range(1, len(piece))]
        splits = [s for s in splits if s[0] in rank and s[1] in rank]
        found += [(i, rank[a], rank[b], a, b) for a, b in splits]
    return [[a, b] for *_, a, b in sorted(found)]


def special(ident, text):
    """Return an entry of `added_tokens`."""
    return {"id": ident, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True}


def tokenizer_json(processor):
    """Return tokenizer.json as LLaMA-2 publishes it: Prepend and Replace, BPE with byte fallback."""
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    normal = [p for i, p in enumerate(pieces) if i > 2 and not processor.is_byte(i)]
    ids = {p: i for i, p in enumerate(pieces)}
    order = sorted(normal, key=ids.get)
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": ids, "merges": merges(order)},
    }


def write(path, value):
    """Write `value` as indented JSON."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main():
    """Parse the command line, train, write all files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("model", type=Path)
    args = parser.parse_args()
    args.model.mkdir(parents=True, exist_ok=True)
    train(args.corpus, args.model / "tokenizer", args.corpus / "tokenizer-input.txt")
    (args.model / "tokenizer.vocab").unlink()
    processor = spm.SentencePieceProcessor(model_file=str(args.model / "tokenizer.model"))
    write(args.model / "tokenizer.json", tokenizer_json(processor))
    write(args.model / "tokenizer_config.json", {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False, "model_max_length": 1024, "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": CHAT_TEMPLATE})
    write(args.model / "special_tokens_map.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})


if __name__ == "__main__":
    main()
