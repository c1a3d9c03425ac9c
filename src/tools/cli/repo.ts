/** `aloft repo create` and `aloft repo check`. */
import { type Command, Option } from 'commander';
import { AloftError } from '../../core/errors.js';
import { checkRepository } from '../../serve/repository/check.js';
import { createRepository, type CreateOptions } from '../../serve/repository/create.js';
import { formatFinding } from '../../serve/repository/finding.js';
import { oneOf, realNumber, wholeNumber } from './flags.js';
import type { Terminal } from './terminal.js';

interface CreateFlags extends Omit<
  CreateOptions,
  'engineDirectory' | 'outputDirectory' | 'tokenizerDirectory' | 'decoupled'
> {
  readonly engineDir: string;
  readonly tokenizerDir?: string;
  readonly modelRepo: string;
  readonly decoupled: boolean;
}

export function registerRepo(program: Command, terminal: Terminal): void {
  const repo = program.command('repo').description('make and check Triton model repositories');
  repo
    .command('create')
    .description('write a model repository for an engine')
    .requiredOption('--engine-dir <dir>', 'the engine')
    .requiredOption('--model-repo <dir>', 'directory to write; must be empty or missing')
    .option('--tokenizer-dir <dir>', 'tokenizer (default: beside the engine)')
    .option('--max-batch-size <n>', "rows of one request (default: the engine's)", wholeNumber(1))
    .option('--max-beam-width <n>', "beams (default: the engine's)", wholeNumber(1))
    .option('--no-decoupled', 'one response for each request: no streaming')
    .option(
      '--scheduler-policy <policy>',
      'guaranteed_no_evict or max_utilization',
      oneOf(['guaranteed_no_evict', 'max_utilization']),
    )
    .option('--exclude-input-in-output', 'answers without the prompt')
    .addOption(
      new Option('--max-queue-size <n>', "requests that may wait; 0: the server's limit").argParser(
        wholeNumber(0),
      ),
    )
    .option('--kv-cache-free-gpu-mem-fraction <x>', 'share of free memory for the KV cache', realNumber(0, 1))
    .option('--max-tokens-in-paged-kv-cache <n>', 'most tokens in the KV cache', wholeNumber(1))
    .action(({ engineDir, tokenizerDir, modelRepo, ...rest }: CreateFlags) => {
      const tokenizer = tokenizerDir === undefined ? {} : { tokenizerDirectory: tokenizerDir };
      const names = createRepository({
        ...rest,
        ...tokenizer,
        engineDirectory: engineDir,
        outputDirectory: modelRepo,
      });
      terminal.out(
        `Wrote ${names.join(', ')} to ${modelRepo}. Serve it with: aloft serve --model-repo ${modelRepo}\n`,
      );
    });
  repo
    .command('check')
    .description('explain all that is wrong with a model repository')
    .argument('<dir>', 'the repository')
    .action((directory: string) => {
      const findings = checkRepository(directory);
      for (const finding of findings) terminal.out(`${formatFinding(finding)}\n`);
      const errorCount = findings.filter((finding) => finding.severity === 'error').length;
      if (errorCount > 0)
        throw new AloftError('CHECK_FAILED', `${directory} has ${errorCount} errors; see above.`);
      terminal.out(`${directory} can be served (${findings.length} warnings).\n`);
    });
}
