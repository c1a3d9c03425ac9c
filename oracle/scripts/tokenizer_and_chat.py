"""Write reference tokenizations and rendered chat templates of the demo model.

Usage: tokenizer_and_chat.py MODEL_DIR OUT_DIR

Also writes OUT_DIR/tokenizers/metaspace/tokenizer.json: the same vocabulary
with a Metaspace pre-tokenizer instead of the Prepend normalizer.
"""

import json
import sys
from pathlib import Path

import sentencepiece
import transformers
from tokenizers import Tokenizer

from common import provenance, write_json

STRINGS = [
    "", " ", "  ", "   ", "a", " a", "  a", "a ", "a  ", "Hello", " Hello", "Hello world", "Hello  world", "Hello   world ",
    "\n", "\n\n", "a\nb", "a\n\nb\n", " \n ", "\t", "\ta", "a\tb", "\r\n", "What is deep learning ?", "What is deep learning?",
    "Once upon a time, there was a little girl named Zoë.", "crème brûlée", "Málaga, Zürich, Kraków, Reykjavík", "naïve façade Ångström",
    "e\u0301 (combining) and é", "100 °C and 5 €", "price: 3.50 €", "你好，世界", "今天天气很好。", "こんにちは", "日本語を学ぶ漢字", "안녕하세요",
    "Здравствуйте", "مرحبا", "नमस्ते", "😀", "😀😀 🐉🚀", "👩‍🍳", "👨‍👩‍👧 family", "👋🏽", "🏳️‍🌈", "🇫🇷", "a😀b", "\u200b\u00a0\u3000", "\U0001F9FF\U00020000",
    "function add(a: number): number {\n  return a + 1;\n}", "def f(x):\n    return x * x\n", "{\"key\": [1, 2, 3]}", "3.14159 and 1234567890", "<0x41> <0xFF>",
    "<s>", "</s>", "<s>Hello</s>", "Hello</s><s>[INST] Hi [/INST]", "[INST] What is a GPU? [/INST] A GPU is a chip. </s>", "<unk> and < s >", "▁", "a▁b ▁",
    "...!!!???", "“quoted” – ‘text’…", "THE CAPITAL OF FRANCE", "supercalifragilistic zorblatqui", "a" * 40, "ab " * 12, "\x00\x01\x7f",
]
CONVERSATIONS = [
    [("user", "Hello")], [("user", "  What is deep learning ?  ")], [("user", "Hi"), ("assistant", "Hello! How can I help you today?")],
    [("system", "You are a helpful assistant."), ("user", "What is a token?")],
    [("user", "What is a token?"), ("assistant", "A token is a small piece of text."), ("user", "Thank you.")],
    [("system", "Answer briefly and clearly."), ("user", "What is a CPU?"), ("assistant", " A CPU is a processor. "), ("user", "And a GPU?"), ("assistant", "A chip with many cores.")],
    [("user", "Écris une phrase 😀\n\nwith two lines")], [("system", ""), ("user", "Empty system part")],
    [("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4"), ("user", "5")],
]
INVALID = [[("assistant", "I begin")], [("user", "a"), ("user", "b")], [("system", "s"), ("assistant", "b")]]


def tokenizations(tokenizer, processor):
    """Return the ids and decoded texts of all strings."""
    items = []
    for text in STRINGS:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        item = {"text": text, "ids": plain, "ids_with_special": tokenizer.encode(text).ids, "tokens": [tokenizer.id_to_token(i) for i in plain],
                "decoded": tokenizer.decode(plain, skip_special_tokens=True), "decoded_with_special": tokenizer.decode(plain, skip_special_tokens=False)}
        if processor is not None:
            item["sentencepiece_ids"] = processor.encode(text)
        items.append(item)
    return items


def render(tokenizer, messages, generation):
    """Return the rendered template, or the error."""
    try:
        value = tokenizer.apply_chat_template([{"role": r, "content": c} for r, c in messages], tokenize=False, add_generation_prompt=generation)
        return {"text": value}
    except Exception as error:
        return {"error": str(error)}


def main():
    """Write the three files."""
    model_dir, out = Path(sys.argv[1]), Path(sys.argv[2])
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model_dir / "tokenizer.model"))
    data = json.loads((model_dir / "tokenizer.json").read_text(encoding="utf-8"))
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    data.update(normalizer=None, pre_tokenizer=metaspace)
    folder = out / "tokenizers" / "metaspace"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    second = Tokenizer.from_file(str(folder / "tokenizer.json"))
    write_json(out / "tokenizer-demo.json", {"provenance": provenance(__file__), "strings": tokenizations(tokenizer, processor),
                                             "metaspace_strings": tokenizations(second, None)})
    config = json.loads((model_dir / "tokenizer_config.json").read_text(encoding="utf-8"))
    chat = transformers.PreTrainedTokenizerFast(tokenizer_file=str(model_dir / "tokenizer.json"), bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    chat.chat_template = config["chat_template"]
    items = []
    for messages in CONVERSATIONS + INVALID:
        for generation in (False, True):
            result = render(chat, messages, generation)
            if "text" in result:
                result["ids"] = tokenizer.encode(result["text"], add_special_tokens=False).ids
            items.append({"messages": [{"role": r, "content": c} for r, c in messages], "add_generation_prompt": generation, **result})
    write_json(out / "chat-template.json", {"provenance": provenance(__file__), "items": items})


if __name__ == "__main__":
    main()
