/** Checks of a call before its message is read: the caller's rights, by group of methods, and the time that a message takes. */
import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import type { AccessGroup, Credentials } from '../context/access.js';
import type { ServerContext } from '../context/server-context.js';
import { MessageIntake } from './message-intake.js';
import type { RawStreams } from './raw-streams.js';
import { grpcStatus } from './status.js';

/** Groups of methods; those that are not here belong to inference. */
const GROUPS: Readonly<Record<string, AccessGroup>> = {
  ServerLive: 'health',
  ServerReady: 'health',
  ModelReady: 'health',
  Check: 'health',
  Watch: 'health',
  ServerMetadata: 'metadata',
  ModelMetadata: 'metadata',
  ModelConfig: 'model-config',
  ModelStatistics: 'statistics',
  RepositoryIndex: 'model-index',
  RepositoryModelLoad: 'model-repository',
  RepositoryModelUnload: 'model-repository',
  SystemSharedMemoryStatus: 'shared-memory',
  SystemSharedMemoryRegister: 'shared-memory',
  SystemSharedMemoryUnregister: 'shared-memory',
  CudaSharedMemoryStatus: 'shared-memory',
  CudaSharedMemoryRegister: 'shared-memory',
  CudaSharedMemoryUnregister: 'shared-memory',
  TraceSetting: 'trace',
  LogSettings: 'logging',
};

/** Refuses a call when its headers are there: its message stays unread. */
export function callGuard(
  { access, log, options, bodyBudget }: ServerContext,
  rawStreams: RawStreams,
): ServerInterceptor {
  return ({ path, requestStream }, call) => {
    const group = GROUPS[path.slice(path.lastIndexOf('/') + 1)] ?? 'inference';
    const fail = (error: unknown) => call.sendStatus(grpcStatus(error, log));
    let intake: MessageIntake | undefined;
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        try {
          access.require(group, 'grpc', callCredentials(metadata));
        } catch (error) {
          fail(error);
          return;
        }
        rawStreams.remember(metadata, call);
        intake = new MessageIntake(call, { budget: bodyBudget, limits: options, fail });
        // A stream may be open for long before its first message.
        if (!requestStream) intake.expect();
        next(metadata);
      })
      .withOnReceiveMessage((message, next) => {
        intake?.noteMessage(!requestStream);
        next(message);
      })
      .build();
    const responder = new ResponderBuilder().withStart((next) => next(listener)).build();
    return new ServerInterceptingCall(call, responder);
  };
}

export function callCredentials(metadata: Metadata): Credentials {
  const header = (name: string) => textOf(metadata, name);
  return { authorization: header('authorization'), plainKey: header('x-api-key'), header };
}

export function textOf(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === 'string' ? value : undefined;
}
