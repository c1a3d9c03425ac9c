/** The RPCs with one request and one response, except ModelInfer. */
import { create, type DescMethod, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import type { handleUnaryCall } from '@grpc/grpc-js';
import { AloftError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { GRPCInferenceService as Service } from '../../protocol/gen/inference_pb.js';
import { requireWithin } from '../../core/request-limits.js';
import { decodeRequest, type Outgoing } from '../../protocol/grpc/service.js';
import { EXTENSIONS, modelMetadata, modelStatistics } from '../inference/model-metadata.js';
import { configOverride } from '../repository/config-override.js';
import type { ServerContext } from '../context/server-context.js';
import type { LogSetting } from '../context/settings.js';
import { requireNoRegion, sharedMemoryRefusal, type RegionKind } from '../inference/shared-memory.js';
import { grpcStatus } from './status.js';

export type Unary = handleUnaryCall<Outgoing, Outgoing>;

type Handle<Method extends DescMethod> = (
  request: MessageShape<Method['input']>,
) => MessageInitShape<Method['output']> | Promise<MessageInitShape<Method['output']>>;
/** Names a handler by its method, and gives it the form of the framework. */
type On = <Method extends DescMethod>(method: Method, handle: Handle<Method>) => [string, Unary];

const { method } = Service;

export function unaryHandlers(context: ServerContext): Record<string, Unary> {
  const on: On = (descriptor, handle) => [descriptor.name, unary(descriptor, context.log, handle)];
  return Object.fromEntries([
    ...modelHandlers(on, context),
    ...repositoryHandlers(on, context),
    ...sharedMemoryHandlers(on),
    ...settingHandlers(on, context),
  ]);
}

/** Facts about the server and its models, and whether they are ready. */
function modelHandlers(on: On, context: ServerContext): [string, Unary][] {
  const { health, repository, options } = context;
  return [
    on(method.serverLive, () => ({ live: health.notLiveReason() === undefined })),
    on(method.serverReady, () => ({ ready: health.notReadyReason() === undefined })),
    on(method.modelReady, ({ name, version }) => ({ ready: health.isModelReady(name, version) })),
    on(method.serverMetadata, () => ({
      name: options.serverId,
      version: context.version,
      extensions: [...EXTENSIONS],
    })),
    on(method.modelMetadata, ({ name, version }) => {
      const metadata = modelMetadata(context, name, version);
      const wide = (list: typeof metadata.inputs) =>
        list.map((tensor) => ({ ...tensor, shape: tensor.shape.map(BigInt) }));
      return {
        ...metadata,
        versions: [...metadata.versions],
        inputs: wide(metadata.inputs),
        outputs: wide(metadata.outputs),
      };
    }),
    on(method.modelConfig, ({ name, version }) => ({ config: repository.resolve(name, version).config })),
    on(method.modelStatistics, ({ name, version }) => modelStatistics(context, name, version)),
  ];
}

function repositoryHandlers(on: On, { repository }: ServerContext): [string, Unary][] {
  return [
    on(method.repositoryIndex, ({ repositoryName, ready }) => {
      requireNoRepository(repositoryName);
      return { models: repository.index(ready) };
    }),
    on(method.repositoryModelLoad, async ({ repositoryName, modelName, parameters }) => {
      requireNoRepository(repositoryName);
      await repository.load(modelName, configOverride(plain(parameters)));
      return {};
    }),
    on(method.repositoryModelUnload, async ({ repositoryName, modelName, parameters }) => {
      requireNoRepository(repositoryName);
      await repository.unload(modelName, plain(parameters)['unload_dependents'] === true);
      return {};
    }),
  ];
}

/** There are no regions: none can be made, and none needs to be removed. */
function sharedMemoryHandlers(on: On): [string, Unary][] {
  const refuse = (): never => {
    throw sharedMemoryRefusal();
  };
  const status = (kind: RegionKind) => (request: { readonly name: string }) => {
    requireNoRegion(kind, request.name);
    return {};
  };
  return [
    on(method.systemSharedMemoryStatus, status('system')),
    on(method.systemSharedMemoryRegister, refuse),
    on(method.systemSharedMemoryUnregister, () => ({})),
    on(method.cudaSharedMemoryStatus, status('cuda')),
    on(method.cudaSharedMemoryRegister, refuse),
    on(method.cudaSharedMemoryUnregister, () => ({})),
  ];
}

function settingHandlers(on: On, { repository, logSettings, traces }: ServerContext): [string, Unary][] {
  return [
    on(method.traceSetting, ({ settings, modelName }) => {
      if (modelName !== '') repository.resolve(modelName, '');
      // An empty list clears a setting.
      const changes = Object.entries(settings).map(([key, { value }]) => [
        key,
        value.length === 0 ? null : value,
      ]);
      traces.update(modelName, Object.fromEntries(changes));
      const now = Object.entries(traces.settings(modelName)).map(([key, value]) => [
        key,
        { value: [...value] },
      ]);
      return { settings: Object.fromEntries(now) };
    }),
    on(method.logSettings, ({ settings }) => {
      logSettings.update(plain(settings) as Record<string, LogSetting>);
      const now = Object.entries(logSettings.settings).map(([key, value]) => [
        key,
        { parameterChoice: logChoice(value) },
      ]);
      return { settings: Object.fromEntries(now) };
    }),
  ];
}

function unary<Method extends DescMethod>(descriptor: Method, log: Log, handle: Handle<Method>): Unary {
  return (call, respond) => {
    const run = async (): Promise<Outgoing> => {
      const bytes = call.request as Uint8Array;
      requireWithin('controlBytes', bytes.length, `The message of ${descriptor.name}`);
      return create(
        descriptor.output,
        await handle(decodeRequest(descriptor.input as Method['input'], bytes)),
      );
    };
    run().then(
      (response) => respond(null, response),
      (error: unknown) => respond(grpcStatus(error, log)),
    );
  };
}

function requireNoRepository(name: string): void {
  if (name !== '')
    throw new AloftError('UNSUPPORTED', `'repository_name' specification is not supported (got '${name}')`);
}

interface Choice {
  readonly parameterChoice: { readonly value?: unknown };
}

/** Parameter messages as plain values; bytes and wide integers as text and numbers. */
function plain(parameters: Readonly<Record<string, Choice>>): Record<string, unknown> {
  const value = ({ parameterChoice }: Choice): unknown => {
    const raw = parameterChoice.value;
    if (raw instanceof Uint8Array) return Buffer.from(raw).toString('utf8');
    return typeof raw === 'bigint' ? Number(raw) : raw;
  };
  return Object.fromEntries(Object.entries(parameters).map(([key, choice]) => [key, value(choice)]));
}

function logChoice(value: LogSetting) {
  if (typeof value === 'boolean') return { case: 'boolParam', value } as const;
  return typeof value === 'number'
    ? ({ case: 'uint32Param', value } as const)
    : ({ case: 'stringParam', value } as const);
}
