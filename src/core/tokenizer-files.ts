/** Names of files that a tokenizer, a chat template and generation may need, as models are published. */

export const TOKENIZER_FILES: readonly string[] = [
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
];

/** Folder of named chat templates, one `.jinja` file each, as transformers saves them. */
export const NAMED_TEMPLATES = 'additional_chat_templates';
