/** Command lines that help shows below the flags of a command, by its path. Tests check that every flag exists. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  '': ['aloft chat', 'aloft serve ./engine', 'aloft run --help=kv     (flags about the KV cache)'],
  start: ['aloft start', 'aloft start --prompt "Tell me a story." --no-serve'],
  build: [
    'aloft build --model_dir ./llama-2-7b-chat-hf --use_weight_only --output_dir ./engine',
    'aloft build --random_weights llama_7b --arch sm_90a --output_dir ./engine',
  ],
  inspect: ['aloft inspect ./llama-2-7b-chat-hf', 'aloft inspect ./model.gguf --json'],
  pull: ['aloft pull Qwen/Qwen3-0.6B', 'aloft pull Qwen/Qwen3-8B-GGUF:Q4_K_M'],
  verify: [
    'aloft verify ./engine ./llama-2-7b-chat-hf',
    'aloft verify ./engine Qwen/Qwen3-0.6B --text-file notes.txt --json',
  ],
  'plan-memory': [
    'aloft plan-memory --model_dir ./llama-2-7b-chat-hf --gpu_memory_gb 24',
    'aloft plan-memory --engine_dir ./engine --json',
  ],
  run: [
    'aloft run ./engine "What is deep learning ?" --chat',
    'echo "Once upon a time" | aloft run ./engine -',
    'aloft run ./engine --input_file prompts.txt --json > answers.jsonl',
  ],
  chat: ['aloft chat', 'aloft chat ./engine --set temperature=0.7', 'aloft chat -u localhost:8000'],
  bench: [
    'aloft bench --engine_dir ./engine --batch_size "1;4;8" --input_output_len "128,128" --html report.html',
    'aloft bench --engine_dir ./engine --type IFB --num_requests 200 --json today.json',
  ],
  'bench serve': [
    'aloft bench serve -c 1,2,4,8 --html report.html --compare yesterday.json',
    'aloft bench serve --api openai -u other-host:8000 --request_rate 1,2,4 --slo_ttft_ms 500',
  ],
  profile: [
    'aloft profile --engine_dir ./engine --html profile.html --compare yesterday.json',
    'aloft profile --engine_dir ./engine --batch_size "1;8" --output trace.json',
  ],
  serve: ['aloft serve ./engine', 'aloft serve --model_repo ./models --host 0.0.0.0 --api_key_file keys.txt'],
  client: [
    'aloft client -p "What is deep learning ?" -S -o 128',
    'aloft client -u other-host:8001 -p "Once upon a time" --json',
  ],
  'repo create': [
    'aloft repo create --engine_dir ./engine --model_repo ./models',
    'aloft repo create --engine_dir ./engine --model_repo ./models --no-decoupled',
  ],
  'repo check': ['aloft repo check ./models', 'aloft repo check ./models --json'],
  'engine check': ['aloft engine check ./engine', 'aloft engine check ./engine --json'],
  'engine show': ['aloft engine show ./engine', 'aloft engine show ./engine --plan'],
  devices: ['aloft devices', 'aloft devices --json'],
  completion: [
    'source <(aloft completion bash)',
    'aloft completion zsh > "${fpath[1]}/_aloft"',
    'aloft completion fish > ~/.config/fish/completions/aloft.fish',
  ],
};
