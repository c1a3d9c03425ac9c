import type { BuildOptions } from './build-options.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';

/** What a build can go on with, but its user should know. */
export function buildWarnings(
  { config, origin, tokenizerFiles }: Checkpoint,
  { limits }: BuildOptions,
): string[] {
  const warnings: string[] = [];
  const longest = limits.maxInputTokens + limits.maxOutputTokens;
  if (longest > config.maxPositions)
    warnings.push(
      `The engine takes sequences of ${longest} tokens, but the model was trained for ${config.maxPositions} (${config.path}); text beyond may be poor.`,
    );
  if (!tokenizerFiles.some((path) => /tokenizer\.(json|model)$/.test(path)))
    warnings.push(
      `No tokenizer.json or tokenizer.model in ${origin}: text needs --tokenizer_dir when the engine runs.`,
    );
  return warnings;
}
