/** Flags of tritonserver and launch_triton_server.py that need nothing here, so that known command lines go on working. */
import { type Command, Option } from 'commander';
import { AloftError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { repeated } from './flags.js';

const THREADS = 'one event loop serves all connections';
const POOLS = 'memory is taken as it is needed';
const REUSE = 'a taken port is named with its holder instead';
const KEEPALIVE = "the gRPC library's own limits hold";
const FORWARD = 'headers are not forwarded to models';
const RATE = 'the scheduler of each engine decides what runs';
const BACKENDS = 'there are no back ends to configure';
const DEVICES = "the parameter 'gpu_device_ids' of a model, or --gpu, chooses its GPU";
const ONE_PROCESS = 'all models run in this process';

/** Flag with its value, and why it needs nothing. */
const WITHOUT_EFFECT: readonly (readonly [string, string])[] = [
  ['--disable-auto-complete-config', 'configurations are never completed'],
  ['--strict-model-config [flag]', 'configurations are always strict'],
  ['--backend-config <setting>', BACKENDS],
  ['--backend-directory <dir>', BACKENDS],
  ['--repoagent-directory <dir>', 'there are no repository agents'],
  ['--http-thread-count <n>', THREADS],
  ['--grpc-infer-thread-count <n>', THREADS],
  ['--grpc-infer-allocation-pool-size <n>', POOLS],
  ['--grpc-max-response-pool-size <n>', POOLS],
  ['--pinned-memory-pool-byte-size <bytes>', POOLS],
  ['--cuda-memory-pool-byte-size <size>', POOLS],
  ['--cuda-virtual-address-size <size>', POOLS],
  ['--buffer-manager-thread-count <n>', THREADS],
  ['--reuse-http-port <flag>', REUSE],
  ['--reuse-grpc-port <flag>', REUSE],
  ['--http-header-forward-pattern <regex>', FORWARD],
  ['--grpc-header-forward-pattern <regex>', FORWARD],
  ['--grpc-infer-response-compression-level <level>', 'answers are not compressed'],
  ['--grpc-keepalive-time <ms>', KEEPALIVE],
  ['--grpc-keepalive-timeout <ms>', KEEPALIVE],
  ['--grpc-keepalive-permit-without-calls <n>', KEEPALIVE],
  ['--grpc-http2-max-pings-without-data <n>', KEEPALIVE],
  ['--grpc-http2-min-recv-ping-interval-without-data <ms>', KEEPALIVE],
  ['--grpc-http2-max-ping-strikes <n>', KEEPALIVE],
  ['--grpc-max-connection-age <ms>', KEEPALIVE],
  ['--grpc-max-connection-age-grace <ms>', KEEPALIVE],
  ['--allow-gpu-metrics <flag>', 'metrics of the GPU itself come from its own exporter'],
  ['--allow-cpu-metrics <flag>', 'they are always there'],
  ['--metrics-interval-ms <ms>', 'metrics are made when they are asked for'],
  ['--rate-limit <mode>', RATE],
  ['--rate-limit-resource <resource>', RATE],
  ['--model-load-thread-count <n>', 'models load one after another'],
  ['--model-load-retry-count <n>', 'a load that fails once fails again'],
  ['--model-load-gpu-limit <limit>', DEVICES],
  ['--min-supported-compute-capability <version>', DEVICES],
  ['--host-policy <policy>', DEVICES],
  ['--enable-peer-access <flag>', DEVICES],
  ['--cache-config <setting>', 'answers are not cached; the KV of prompts always is'],
  ['--cache-directory <dir>', 'answers are not cached; the KV of prompts always is'],
  ['--trace-file <file>', 'traces go to an OpenTelemetry collector: use --trace-config'],
  ['--trace-level <level>', 'use --trace-config'],
  ['--trace-rate <n>', 'use --trace-config'],
  ['--trace-count <n>', 'use --trace-config'],
  ['--trace-log-frequency <n>', 'use --trace-config'],
  ['--tritonserver <file>', ONE_PROCESS],
  ['-f, --force', REUSE],
  ['--no-mpi', ONE_PROCESS],
  ['--multi-model', ONE_PROCESS],
  ['--disable-spawn-processes', ONE_PROCESS],
  ['--oversubscribe', ONE_PROCESS],
  ['--tensorrt-llm-model-name <names>', ONE_PROCESS],
  ['--multimodal-gpu0-cuda-mem-pool-bytes <bytes>', POOLS],
];

/** Switched on they ask for something that is not there, and going on without it would be wrong. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['--allow-sagemaker <flag>', "SageMaker's routes are not served"],
  ['--allow-vertex-ai <flag>', "Vertex AI's routes are not served"],
  ['--allow-client-shm <flag>', 'shared memory regions are not supported'],
  ['--model-namespacing <flag>', 'names of models must differ over all repositories'],
  ['--model-config-name <name>', 'each model has one config.pbtxt'],
];

const OFF = /^(false|off|0)$/i;

export function addTritonFlags(command: Command): void {
  for (const [flag, why] of [...WITHOUT_EFFECT, ...REFUSED]) {
    const option = new Option(flag, why).hideHelp();
    command.addOption(flag.includes('<') ? option.argParser(repeated) : option);
  }
}

/**
 * Says which of the given flags have no effect, and why.
 * @throws {AloftError} USAGE for one that asks for what is not there
 */
export function reportTritonFlags(command: Command, log: Log): void {
  const given = (flag: string): readonly string[] | undefined => {
    const option = command.options.find((candidate) => candidate.flags === flag);
    const name = option?.attributeName() ?? '';
    if (command.getOptionValueSource(name) !== 'cli') return undefined;
    const value: unknown = command.getOptionValue(name);
    return Array.isArray(value) ? value.map(String) : [String(value)];
  };
  const nameOf = (flag: string) => /--[a-z\d-]+/.exec(flag)![0];
  for (const [flag, why] of REFUSED) {
    const isOn = given(flag)?.some((value) => !OFF.test(value));
    if (isOn) throw new AloftError('USAGE', `${nameOf(flag)} is not supported: ${why}.`);
  }
  for (const [flag, why] of WITHOUT_EFFECT) {
    if (given(flag) !== undefined) log.info(`${nameOf(flag)} has no effect: ${why}.`);
  }
}
