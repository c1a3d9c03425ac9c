/** The flags of `aloft bench serve`. */
import type { Command } from 'commander';
import { benchServe, type ServeBenchFlags } from '../bench/serve/command.js';
import { APIS } from '../bench/serve/target.js';
import { oneOf, realNumber, wholeNumber } from './flags.js';
import type { Terminal } from './terminal.js';

/** @param bench The command that `serve` belongs to; it and `serve` have flags of the same names. */
export function registerBenchServe(bench: Command, terminal: Terminal): void {
  bench.enablePositionalOptions();
  bench
    .command('serve')
    .description('put a server under load: ours, Triton, or any with an OpenAI API')
    .optionsGroup('Server:')
    .option('-i, --api <api>', APIS.join(', '), oneOf(APIS), 'grpc')
    .option('-u, --url <host:port>', 'server (default: localhost:8001 for grpc, else localhost:8000)')
    .option('-m, --model <name>', 'default: tensorrt_llm for token ids, ensemble for text')
    .option('--api-key <key>', 'key of the server')
    .optionsGroup('Load:')
    .option('-c, --concurrency <list>', 'requests at a time: a sweep such as 1,2,4,8,16', '1,2,4,8,16')
    .option('--request-rate <list>', 'instead: Poisson arrivals a second, such as 1,2,4')
    .option('--num-requests <n>', 'requests for each load', wholeNumber(1), 128)
    .option('--warm-up <n>', 'requests that are not measured', wholeNumber(0), 4)
    .option('--dataset <file>', 'requests as gptManagerBenchmark or trtllm-bench write them')
    .option(
      '--input-len <lengths>',
      'constant:128, uniform:16,256, normal:128,32 or geometric:64,512',
      'constant:128',
    )
    .option('--output-len <lengths>', 'likewise', 'constant:64')
    .option('--vocabulary <n>', 'generated token ids are below this', wholeNumber(1), 256)
    .option('--seed <n>', 'seed of lengths, ids and arrivals', wholeNumber(0), 0)
    .optionsGroup('Service level:')
    .option('--slo-ttft-ms <ms>', 'goodput counts requests with a first token by then', realNumber(0, 1e9))
    .option('--slo-tpot-ms <ms>', 'and at most this between tokens on average', realNumber(0, 1e9))
    .optionsGroup('Results:')
    .option('--json <file>', 'write results with machine, commit and command')
    .option('--html <file>', 'write a report: one page with charts and tables')
    .option('--compare <file>', 'with --html: the --json result of an earlier run, drawn beside this one')
    .action(async (flags: ServeBenchFlags) => benchServe(flags, terminal));
}
