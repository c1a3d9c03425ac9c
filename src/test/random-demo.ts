/** A model with the demo model's tokenizer and random weights: it writes any token as likely as any other. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeRandomCheckpoint } from '../builder/random-weights/write-checkpoint.js';
import { aloft, DEMO_MODEL } from '../tools/cli/testing/command-line.js';

const SHAPE = {
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 512,
  vocab_size: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
};

/** Builds an engine in `folder`. @returns its directory */
export async function buildRandomDemo(folder: string, ...flags: string[]): Promise<string> {
  const checkpoint = join(folder, 'random-checkpoint');
  const engine = join(folder, 'random-engine');
  writeRandomCheckpoint(checkpoint, SHAPE, 5);
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'])
    copyFileSync(join(DEMO_MODEL, name), join(checkpoint, name));
  const built = await aloft('build', '--model_dir', checkpoint, '--output_dir', engine, ...flags);
  if (built.status !== 0) throw new Error(`the random model was not built: ${built.err}`);
  return engine;
}
