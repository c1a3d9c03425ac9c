/** The work of `aloft client` with token ids, as tensorrtllm_backend's inflight_batcher_llm_client does it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AloftError } from '../core/errors.js';
import type { InferRequest, InferResponse } from '../protocol/kserve/infer.js';
import { numberTensor, numbers, type Tensor } from '../protocol/kserve/tensor.js';
import type { Datatype } from '../protocol/kserve/datatype.js';
import { errorMessage, type ClientTerminal } from './command.js';
import type { GrpcClient } from './grpc-client.js';

export interface TokenCommand {
  /** Default of the command line: `tensorrt_llm`. */
  readonly modelName: string;
  readonly id: string;
  readonly promptTokenIds: readonly number[];
  readonly maxTokens: number;
  readonly isStreaming: boolean;
  /** Further inputs by name; a model that does not declare one is not sent it. */
  readonly inputs: Readonly<Record<string, number | bigint | boolean>>;
  /** Outputs to ask for; empty: all. */
  readonly requestedOutputs: readonly string[];
  readonly stop: { readonly afterMs: number; readonly by: 'tensor' | 'cancel' } | undefined;
  /** Output that must be generated; undefined does not check. */
  readonly expectedTokenIds: readonly number[] | undefined;
  /** Share of expected tokens that must be right, 0 .. 1. */
  readonly correctnessThreshold: number;
}

export interface TokenText {
  readonly prompt: string;
  decode(tokenIds: readonly number[]): string;
}

/**
 * @param text Absent: only ids are printed.
 * @returns the exit status: 1 when the check fails or the server reported an error
 */
export async function runTokenCommand(
  command: TokenCommand,
  client: GrpcClient,
  { terminal, text }: { readonly terminal: ClientTerminal; readonly text: TokenText | undefined },
): Promise<0 | 1> {
  terminal.out('=========\n');
  try {
    const answer = await ask(command, client, terminal);
    const beams = answer.map((ids) => ids.slice(command.promptTokenIds.length));
    terminal.out(`output_ids =  ${JSON.stringify(answer)}\n`);
    if (text !== undefined) {
      terminal.out(`Input: ${text.prompt}\n`);
      for (const ids of beams) terminal.out(`Output: ${text.decode(ids)}\n`);
    }
    return checkTokens(command, beams[0] ?? [], terminal);
  } catch (error) {
    terminal.error(`Received an error from server:\n${errorMessage(error)}\n`);
    return 1;
  }
}

/** Prompt and answer of each beam. */
async function ask(command: TokenCommand, client: GrpcClient, terminal: ClientTerminal): Promise<number[][]> {
  const types = await client.inputTypes(command.modelName);
  if (!types.has('input_ids')) {
    const message = `Model '${command.modelName}' has no input 'input_ids'; for a model that takes text leave out --tokenizer-dir and --input-tokens-csv.`;
    throw new AloftError('USAGE', message);
  }
  const request = requestOf(command, types);
  const cancelling = new AbortController();
  const ended = new AbortController();
  const beams: number[][] = command.isStreaming ? [[...command.promptTokenIds]] : [];
  const stopping = stopLater(command, { client, types, cancelling, ended: ended.signal });
  try {
    for await (const response of client.inferStream(request, { signal: cancelling.signal }))
      take(response, { command, beams, terminal });
  } catch (error) {
    if (!cancelling.signal.aborted) throw error;
  } finally {
    ended.abort();
  }
  if (await stopping) terminal.out('Got cancellation response from server\n');
  return beams;
}

interface Taking {
  readonly command: TokenCommand;
  readonly beams: number[][];
  readonly terminal: ClientTerminal;
}

function take(response: InferResponse, { command, beams, terminal }: Taking): void {
  const output = response.outputs.find(({ name }) => name === 'output_ids');
  if (output === undefined) return;
  const length = output.shape.at(-1) ?? 0;
  const ids = numbers(output);
  const rows =
    length === 0
      ? []
      : Array.from({ length: ids.length / length }, (_, i) => ids.slice(i * length, (i + 1) * length));
  if (command.isStreaming) {
    terminal.out(`${JSON.stringify(rows[0] ?? [])}\n`);
    beams[0]?.push(...(rows[0] ?? []));
  } else {
    terminal.out('Got completed request\n');
    beams.push(...rows);
  }
  for (const { name, shape, datatype } of response.outputs) {
    if (name.endsWith('logits')) terminal.out(`${name}: ${datatype} [${shape.join(',')}]\n`);
    if (!name.endsWith('log_probs')) continue;
    const values = numbers(response.outputs.find((tensor) => tensor.name === name)!);
    terminal.out(`${name} = ${JSON.stringify(values)}\n`);
  }
}

function requestOf(command: TokenCommand, types: ReadonlyMap<string, Datatype>): InferRequest {
  const { promptTokenIds, maxTokens, isStreaming } = command;
  const scalars = {
    input_lengths: promptTokenIds.length,
    request_output_len: maxTokens,
    streaming: isStreaming,
    ...command.inputs,
  };
  return {
    modelName: command.modelName,
    modelVersion: '',
    id: command.id,
    parameters: {},
    inputs: [
      numberTensor('input_ids', 'INT32', [1, promptTokenIds.length], promptTokenIds),
      ...scalarTensors(scalars, types),
    ],
    outputs: command.requestedOutputs.map((name) => ({ name, parameters: {} })),
  };
}

function scalarTensors(
  values: Readonly<Record<string, number | bigint | boolean>>,
  types: ReadonlyMap<string, Datatype>,
): Tensor[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const datatype = types.get(name);
    return datatype === undefined || datatype === 'BYTES'
      ? []
      : [numberTensor(name, datatype, [1, 1], [value])];
  });
}

interface Stopping {
  readonly client: GrpcClient;
  readonly types: ReadonlyMap<string, Datatype>;
  readonly cancelling: AbortController;
  /** The answer is complete: nothing is left to stop. */
  readonly ended: AbortSignal;
}

/** @returns whether the request was stopped before it ended by itself */
async function stopLater({ stop, ...command }: TokenCommand, parts: Stopping): Promise<boolean> {
  if (stop === undefined) return false;
  try {
    await sleep(stop.afterMs, undefined, { signal: parts.ended });
  } catch {
    return false;
  }
  if (stop.by === 'cancel') {
    parts.cancelling.abort();
    return true;
  }
  const inputs = { input_lengths: 0, request_output_len: 0, stop: true };
  const request: InferRequest = {
    modelName: command.modelName,
    modelVersion: '',
    id: command.id,
    parameters: { Streaming: command.isStreaming },
    inputs: [numberTensor('input_ids', 'INT32', [1, 1], [0]), ...scalarTensors(inputs, parts.types)],
    outputs: [],
  };
  try {
    for await (const _ of parts.client.inferStream(request)) continue;
    return true;
  } catch {
    return false; // it ended just before
  }
}

function checkTokens(command: TokenCommand, generated: readonly number[], terminal: ClientTerminal): 0 | 1 {
  const expected = command.expectedTokenIds;
  if (expected === undefined) return 0;
  const right = expected.filter((id, i) => generated[i] === id).length;
  const isRight = expected.length > 0 && right / expected.length >= command.correctnessThreshold;
  terminal.out(
    `expected_output_ids =  ${JSON.stringify(expected)}\n=====\n${isRight ? 'PASS!' : 'FAIL!'}\n=====\n`,
  );
  return isRight ? 0 : 1;
}
