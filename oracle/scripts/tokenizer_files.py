"""Write what transformers makes of sets of small tokenizer files: ids, texts, special tokens and end tokens.

Usage: tokenizer_files.py OUT_DIR

With transformers 4 it trains the tokenizers, composes the sets and writes OUT_DIR/tokenizer-files/transformers-4.json.
With transformers 5 it reads the sets from that file, and writes transformers-5.json with its own results.

Training is deterministic; there is no seed to set.
"""

import base64
import json
import sys
import tempfile
from pathlib import Path

import sentencepiece
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from common import provenance, write_json

CORPUS = [
    "The small boat went out to sea in the morning, and it came back in the evening.",
    "A child found a shell on the beach; the shell was white and very smooth.",
    "There was once a miller who had three sons, a mill, a donkey and a cat.",
    "system user assistant tool: you are a helpful assistant, and the user asks.",
    "Das Kind fand eine Muschel am Strand, und die Größe der Bäume überraschte alle.",
    "孩子在海边找到一个白色的贝壳。孩子很高兴。",
    "def add(left, right):\n    return left + right",
] * 4
START, END, TOOL = "<|im_start|>", "<|im_end|>", "<tool>"
TEXTS = [
    "", " ", "  ", "a", " a", "The small boat", " The small boat ", "  two  spaces  ", "\n", "\n\nx", "\tx",
    "Größe der Bäume", "孩子在海边。", "🙂 👩\u200d🚀 Ω ✓", "e\u0301 ﬁ", "a\u00a0b", "\x00\x01\x7f", "<0x41>", "▁a ▁ b",
    "<s>", "</s>", "<s>a</s>", "a <s> b </s> c", " <s>  a", "a</s>\n", "<unk>", "x<unk>y",
    f"{START}user\nThe boat?{END}\n{START}assistant\n", f"a {START} b {END} c", f"{START}  {END}", f"a{END}b", f"{END}{END}",
    f"{TOOL}add{TOOL} x", f"x {TOOL} y", "<|im_", "<|im_start", "<|endoftext|>", "a<|endoftext|>b", "<pad>", "[PAD]",
    "aaaaaaaaaaaaaaaa the the the", "def add(left, right):\n    return left + right", "1234567 3.14", "it's I'LL we'd",
]


class Sink:
    """Collects the trained model in memory."""

    def __init__(self):
        self.data = bytearray()

    def write(self, data):
        self.data.extend(data)


def sentencepiece_model(**options):
    """Return the bytes of a trained `tokenizer.model`."""
    sink = Sink()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=sink, byte_fallback=True, split_digits=True, minloglevel=2,
        normalization_rule_name="identity", remove_extra_whitespaces=False, **options)
    return bytes(sink.data)


def byte_level(specials):
    """Return a trained byte-level BPE tokenizer, in the form of GPT-2 and LLaMA 3."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def flags(content, **changed):
    """Return a token as `added_tokens_decoder` has it."""
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True,
            **changed}


def llama_json(model, changes):
    """Return the `tokenizer.json` that transformers writes for a SentencePiece model, with other members on top."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.model").write_bytes(model)
        fast = transformers.LlamaTokenizerFast.from_pretrained(folder)
        return {**json.loads(fast.backend_tokenizer.to_str()), **changes}


def combinations():
    """Return the sets of files by name: bytes as base64, everything else as JSON."""
    bpe = sentencepiece_model(model_type="bpe", vocab_size=420)
    unigram = sentencepiece_model(model_type="unigram", vocab_size=380)
    count = 420
    config = {"model_type": "llama"}
    model = {"config.json": config, "tokenizer.model": bpe}
    chat = {"added_tokens_decoder": {"0": flags("<unk>"), "1": flags("<s>"), "2": flags("</s>"), str(count): flags(START),
                                     str(count + 1): flags(END)},
            "additional_special_tokens": [START], "bos_token": "<s>", "eos_token": END, "unk_token": "<unk>",
            "tokenizer_class": "LlamaTokenizer"}
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "LlamaTokenizer"}
    # A map has no flag that says a token is special.
    end = {key: value for key, value in flags(END).items() if key != "special"}
    older = {"added_tokens.json": {START: count, END: count + 1, TOOL: count + 2},
             "special_tokens_map.json": {"additional_special_tokens": [START], "bos_token": "<s>", "eos_token": end,
                                         "unk_token": "<unk>"}}
    llama = llama_json(bpe, {})
    renamed = {"<unk>": "<pad>", "<s>": "<eos>", "</s>": "<bos>", "<0x00>": "<unk>"}
    gemma = json.loads(json.dumps({**llama, "post_processor": None}))
    gemma["model"]["vocab"] = {renamed.get(text, text): i for text, i in gemma["model"]["vocab"].items()}
    gemma["model"]["byte_fallback"] = False
    gemma["added_tokens"] = [{**gemma["added_tokens"][0], "id": i, "content": text} for i, text in enumerate(renamed.values())]
    bare = llama_json(bpe, {"post_processor": None})
    first = llama_json(bpe, {"normalizer": None, "pre_tokenizer": {
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}})
    gpt = byte_level(["<|endoftext|>"])
    llama3 = byte_level(["<|begin|>", "<|end|>"])
    llama3.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<|begin|> $A", pair="<|begin|> $A <|begin|> $B", special_tokens=[("<|begin|>", 0)])])
    qwen = byte_level([])
    size = qwen.get_vocab_size()
    gpt_json, llama3_json, qwen_json = (json.loads(each.to_str()) for each in (gpt, llama3, qwen))
    fast = {"config.json": {"model_type": "llama"}, "tokenizer.json": llama}
    qwen_tokens = {str(size): flags("<|endoftext|>"), str(size + 1): flags(START), str(size + 2): flags(END),
                   str(size + 3): flags(TOOL, special=False)}
    return {
        "model alone": model,
        "model, named tokens": {**model, "tokenizer_config.json": named},
        "model, added_tokens_decoder": {**model, "tokenizer_config.json": chat},
        "model, added_tokens_decoder, legacy true": {**model, "tokenizer_config.json": {**chat, "legacy": True}},
        "model, added_tokens_decoder, legacy false": {**model, "tokenizer_config.json": {**chat, "legacy": False}},
        "model, legacy false, no prefix space": {
            **model, "tokenizer_config.json": {**named, "legacy": False, "add_prefix_space": False}},
        "model, added_tokens.json": {**model, "tokenizer_config.json": named, "added_tokens.json": older["added_tokens.json"]},
        "model, added_tokens.json, special_tokens_map.json": {**model, "tokenizer_config.json": named, **older},
        "model, no begin token": {**model, "tokenizer_config.json": {**named, "add_bos_token": False}},
        "model, no begin token, end token": {
            **model, "tokenizer_config.json": {**named, "add_bos_token": False, "add_eos_token": True}},
        "model, both": {**model, "tokenizer_config.json": {**chat, "add_bos_token": True, "add_eos_token": True}},
        "unigram model": {"config.json": config, "tokenizer.model": unigram, "tokenizer_config.json": named},
        "unigram model, added tokens, legacy false": {
            "config.json": config, "tokenizer.model": unigram, "added_tokens.json": {START: 380, END: 381},
            "special_tokens_map.json": {**named, "eos_token": END}, "tokenizer_config.json": {**named, "legacy": False}},
        "json of LLaMA": fast,
        "json without post-processor, LlamaTokenizerFast": {
            **fast, "tokenizer.json": bare, "tokenizer_config.json": {**chat, "tokenizer_class": "LlamaTokenizerFast"}},
        "json without post-processor, add_bos_token, add_eos_token": {
            **fast, "tokenizer.json": bare,
            "tokenizer_config.json": {**named, "add_bos_token": True, "add_eos_token": True}},
        "json, no begin token, LlamaTokenizer": {**fast, "tokenizer_config.json": {**named, "add_bos_token": False}},
        "json, add_bos_token, PreTrainedTokenizerFast": {
            **fast, "tokenizer.json": bare,
            "tokenizer_config.json": {**named, "add_bos_token": True, "tokenizer_class": "PreTrainedTokenizerFast"}},
        "json, Metaspace, legacy false": {
            **fast, "tokenizer.json": first, "tokenizer_config.json": {**chat, "legacy": False}},
        "json, added_tokens.json, special_tokens_map.json": {**fast, "tokenizer_config.json": named, **older},
        "json, special_tokens_map.json with an unknown pad token": {
            **fast, "tokenizer_config.json": named, "special_tokens_map.json": {"pad_token": "[PAD]", "eos_token": "</s>"}},
        "byte-level json": {"config.json": {"model_type": "gpt2"}, "tokenizer.json": gpt_json, "tokenizer_config.json": {
            "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "tokenizer_class": "GPT2Tokenizer"}},
        "byte-level json, class of the model": {"config.json": {"model_type": "qwen2"}, "tokenizer.json": gpt_json},
        "byte-level json, class without names": {
            "config.json": config, "tokenizer.json": gpt_json, "tokenizer_config.json": {"tokenizer_class": "GPT2TokenizerFast"}},
        "json, class in config.json": {
            "config.json": {"model_type": "gpt2", "tokenizer_class": "LlamaTokenizerFast"}, "tokenizer.json": bare},
        "json of Gemma, class of the model": {"config.json": {"model_type": "gemma2"}, "tokenizer.json": gemma},
        "json of Gemma, class without names": {
            "config.json": config, "tokenizer.json": gemma,
            "tokenizer_config.json": {"tokenizer_class": "GemmaTokenizer", "add_eos_token": True}},
        "byte-level json, template": {"config.json": config, "tokenizer.json": llama3_json, "tokenizer_config.json": {
            "bos_token": "<|begin|>", "eos_token": "<|end|>", "pad_token": "<pad>", "tokenizer_class": "PreTrainedTokenizerFast",
            "added_tokens_decoder": {"0": flags("<|begin|>"), "1": flags("<|end|>"), "400": flags(END), "401": flags(START)}}},
        "byte-level json, added_tokens_decoder, Qwen2Tokenizer": {
            "config.json": {"model_type": "qwen2"}, "tokenizer.json": qwen_json, "tokenizer_config.json": {
                "added_tokens_decoder": qwen_tokens, "additional_special_tokens": [START, END], "bos_token": None,
                "eos_token": END, "pad_token": "<|endoftext|>", "unk_token": None, "tokenizer_class": "Qwen2Tokenizer"}},
        "byte-level json, tokens that strip": {
            "config.json": config, "tokenizer.json": qwen_json, "tokenizer_config.json": {
                "added_tokens_decoder": {
                    str(size): flags(START, lstrip=True), str(size + 1): flags(END, rstrip=True),
                    str(size + 2): flags(TOOL, special=False, normalized=True, single_word=True)},
                "eos_token": END, "tokenizer_class": "PreTrainedTokenizerFast"}},
    }


def packed(files):
    """Return the files in a form that JSON holds."""
    return {name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else {"json": value}
            for name, value in files.items()}


def results(files):
    """Return what transformers makes of a set of files, or its refusal."""
    with tempfile.TemporaryDirectory() as folder:
        for name, value in files.items():
            content = base64.b64decode(value["base64"]) if "base64" in value else json.dumps(value["json"]).encode()
            (Path(folder) / name).write_bytes(content)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        except Exception as error:  # pylint: disable=broad-except
            return {"error": type(error).__name__}
    named = {name: getattr(tokenizer, f"{name}_id") for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    cases = []
    for text in TEXTS:
        alone, around = (tokenizer(text, add_special_tokens=each)["input_ids"] for each in (False, True))
        decode = lambda ids, skip: tokenizer.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=False)
        cases.append({"text": text, "alone": alone, "around": around, "decoded": decode(around, False),
                      "skipped": decode(around, True)})
    return {"class": type(tokenizer).__name__, "size": len(tokenizer), "named": named,
            "special": sorted(set(tokenizer.all_special_ids)), "cases": cases}


def main():
    """Write the file of the installed version."""
    folder = Path(sys.argv[1]) / "tokenizer-files"
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "transformers-4.json"
    if transformers.__version__.startswith("4."):
        sets = {name: packed(files) for name, files in combinations().items()}
        own = {"sets": sets, "results": {name: results(files) for name, files in sets.items()}}
        write_json(first, {"provenance": provenance(__file__), **own})
        return
    sets = json.loads(first.read_text(encoding="utf-8"))["sets"]
    own = {"results": {name: results(files) for name, files in sets.items()}}
    write_json(folder / "transformers-5.json", {"provenance": provenance(__file__), **own})


if __name__ == "__main__":
    main()
