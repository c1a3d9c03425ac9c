#!/bin/sh
# Write all oracle files. Usage: run_all.sh MODEL_DIR OUT_DIR
# Needs torch, transformers, tokenizers, sentencepiece and jinja2; runs on the CPU in about two minutes.
set -e
cd "$(dirname "$0")"
export CUDA_VISIBLE_DEVICES=
python3 tiny_models.py "$2"
python3 family_models.py "$2"
python3 gpu_family_models.py "$2"
python3 embedding_models.py "$2"
python3 chatglm_models.py "$2"
python3 gguf_blocks.py "$2"
python3 quantised_models.py "$2"
python3 warpers.py "$2"
for part in probes templates programs; do
  python3 "jinja_$part.py" "$2"
done
python3 sentencepiece_ids.py "$2"
# With transformers 4 the sets of files and the reference, with transformers 5 what it makes of the same sets.
python3 tokenizer_files.py "$2"
python3 tokenizer_and_chat.py "$1" "$2"
for part in outputs penalties beams beam_processors; do
  python3 "demo_$part.py" "$1" "$2"
done
