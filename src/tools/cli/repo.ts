/** `aloft repo create` and `aloft repo check`. */
import type { Command } from 'commander';
import { AloftError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import { checkRepository } from '../../serve/repository/check.js';
import { createRepository } from '../../serve/repository/create.js';
import { formatFinding } from '../../serve/repository/finding.js';
import { addOptionFlags, engineOptions } from './engine-flags.js';
import { wholeNumber } from './flags.js';
import { plural, jsonText, type Terminal } from './terminal.js';

interface CreateFlags {
  readonly engineDir: string;
  readonly tokenizerDir?: string;
  readonly modelRepo: string;
  readonly maxBatchSize?: number;
  readonly maxBeamWidth?: number;
  readonly decoupled: boolean;
  readonly excludeInputInOutput?: boolean;
  readonly maxQueueSize?: number;
}

export function registerRepo(repo: Command, terminal: Terminal): void {
  const create = repo
    .command('create')
    .description('write a model repository for an engine')
    .requiredOption('--engine-dir <dir>', 'the engine')
    .requiredOption('--model-repo <dir>', 'directory to write; must be empty or missing')
    .option('--tokenizer-dir <dir>', 'tokenizer (default: beside the engine)')
    .option('--max-batch-size <n>', "rows of one request (default: the engine's)", wholeNumber(1))
    .option('--max-beam-width <n>', "beams (default: the engine's)", wholeNumber(1))
    .option('--no-decoupled', 'one response for each request: no streaming')
    .option('--exclude-input-in-output', 'answers without the prompt')
    .option('--max-queue-size <n>', "requests that may wait; 0: the server's limit", wholeNumber(0));
  addOptionFlags(create, ['policy', 'kvCacheFreeMemFraction', 'maxKvTokens']);
  create.action((flags: CreateFlags) => {
    const { engineDir, tokenizerDir, modelRepo, maxBatchSize, decoupled, excludeInputInOutput } = flags;
    const { maxBeamWidth, maxQueueSize: maxQueuedRequests } = flags;
    const names = createRepository({
      engineDirectory: engineDir,
      outputDirectory: modelRepo,
      decoupled,
      ...present({ tokenizerDirectory: tokenizerDir, maxBatchSize, excludeInputInOutput }),
      options: { ...engineOptions(flags), ...present({ maxBeamWidth, maxQueuedRequests }) },
    });
    terminal.out(
      `Wrote ${names.join(', ')} to ${modelRepo}. Serve it with: aloft serve --model-repo ${modelRepo}\n`,
    );
  });
  repo
    .command('check')
    .description('explain all that is wrong with a model repository')
    .argument('<dir>', 'the repository')
    .option('--json', 'print the findings as JSON')
    .action((directory: string, { json = false }: { json?: boolean }) => {
      const findings = checkRepository(directory);
      if (json) terminal.out(jsonText(findings));
      else for (const finding of findings) terminal.out(`${formatFinding(finding)}\n`);
      const errorCount = findings.filter((finding) => finding.severity === 'error').length;
      if (errorCount > 0)
        throw new AloftError('CHECK_FAILED', `${directory} has ${plural(errorCount, 'error')}; see above.`);
      if (!json) terminal.out(`${directory} can be served (${plural(findings.length, 'warning')}).\n`);
    });
}
