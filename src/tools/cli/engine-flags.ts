/** Flags of every command that loads an engine, and what they mean to it. */
import { type Command, Option } from 'commander';
import type { LoadOptions } from '../../llm/load.js';
import { byteCount, realNumber, wholeNumber } from './flags.js';

/** How an engine is opened. */
export interface LoadFlags {
  readonly tokenizerDir?: string;
  readonly threads?: number;
  readonly mmapWeights?: boolean;
  readonly kvCacheFreeMemFraction?: number;
  readonly maxTokensInPagedKvCache?: number;
  /** Spellings of gptManagerBenchmark. */
  readonly kvCacheFreeGpuMemFraction?: number;
  readonly maxTokensInPagedKvcache?: number;
  readonly maxNumTokens?: number;
  readonly tokensPerBlock?: number;
  readonly gpu?: number;
  readonly maxDeviceMemory?: number;
  readonly cudaLibraryPath?: string;
}

/** The same, and which engine. */
export interface EngineFlags extends LoadFlags {
  readonly engineDir: string;
}

export function addEngineFlags(command: Command): void {
  command.option('--engine-dir <dir>', 'engine directory, made by aloft build', 'llama_outputs');
  addLoadFlags(command);
}

export function addLoadFlags(command: Command): void {
  command
    .option('--tokenizer-dir <dir>', 'tokenizer files (default: those kept in the engine)')
    .option('--threads <n>', 'CPU threads (default: all cores)', wholeNumber(1, 1024))
    .option(
      '--mmap-weights',
      'CPU: map the engine file instead of reading it into huge pages; starts sooner, decodes slower',
    )
    .option(
      '--kv-cache-free-mem-fraction <share>',
      'share of the memory free after load for KV blocks',
      realNumber(0.01, 1),
    )
    .addOption(
      new Option('--kv-cache-free-gpu-mem-fraction <share>', 'the same')
        .argParser(realNumber(0.01, 1))
        .hideHelp(),
    )
    .addOption(
      new Option('--max-tokens-in-paged-kvcache <tokens>', 'the same').argParser(wholeNumber(1)).hideHelp(),
    )
    .option('--max-tokens-in-paged-kv-cache <tokens>', 'absolute size of the KV cache', wholeNumber(1))
    .option(
      '--max-num-tokens <tokens>',
      'tokens of one step at most (prompt chunks and decode together)',
      wholeNumber(1),
    )
    .option('--tokens-per-block <tokens>', 'KV block size, 8 to 128', wholeNumber(8, 128))
    .option('--gpu <n>', 'which GPU runs an engine built for CUDA', wholeNumber(0, 1024))
    .option(
      '--max-device-memory <bytes>',
      'cap on weights, workspace and KV cache on a GPU together, such as 32GB',
      byteCount,
    )
    .option('--cuda-library-path <folders>', 'where CUDA libraries lie, separated by colons');
}

export function engineOptions(flags: LoadFlags): LoadOptions {
  const fraction = flags.kvCacheFreeMemFraction ?? flags.kvCacheFreeGpuMemFraction;
  const maxKvTokens = flags.maxTokensInPagedKvCache ?? flags.maxTokensInPagedKvcache;
  return {
    ...(flags.tokenizerDir === undefined ? {} : { tokenizerDirectory: flags.tokenizerDir }),
    ...(flags.threads === undefined ? {} : { threadCount: flags.threads }),
    ...(flags.mmapWeights === undefined ? {} : { mapWeights: flags.mmapWeights }),
    ...(fraction === undefined ? {} : { kvCacheFreeMemFraction: fraction }),
    ...(maxKvTokens === undefined ? {} : { maxKvTokens }),
    ...(flags.maxNumTokens === undefined ? {} : { maxStepTokens: flags.maxNumTokens }),
    ...(flags.gpu === undefined ? {} : { gpu: flags.gpu }),
    ...(flags.maxDeviceMemory === undefined ? {} : { maxDeviceBytes: flags.maxDeviceMemory }),
    ...(flags.cudaLibraryPath === undefined ? {} : { cudaLibraryPath: flags.cudaLibraryPath }),
    ...(flags.tokensPerBlock === undefined ? {} : { blockTokens: flags.tokensPerBlock }),
  };
}
