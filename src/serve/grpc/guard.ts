/** Checks of a call before its message is read: the caller's rights, by group of methods, and the time that a message takes. */
import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { AloftError } from '../../core/errors.js';
import type { AccessGroup, Credentials } from '../context/access.js';
import type { ServerContext } from '../context/server-context.js';
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
  ModelConfig: 'metadata',
  ModelStatistics: 'metadata',
  RepositoryIndex: 'metadata',
  RepositoryModelLoad: 'administration',
  RepositoryModelUnload: 'administration',
  TraceSetting: 'administration',
  LogSettings: 'administration',
};

/** Refuses a call when its headers are there: its message stays unread. */
export function callGuard(
  { access, log, options }: ServerContext,
  rawStreams: RawStreams,
): ServerInterceptor {
  return ({ path, requestStream }, call) => {
    const group = GROUPS[path.slice(path.lastIndexOf('/') + 1)] ?? 'inference';
    let timer: NodeJS.Timeout | undefined;
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        try {
          access.require(group, callCredentials(metadata));
        } catch (error) {
          call.sendStatus(grpcStatus(error, log));
          return;
        }
        rawStreams.remember(metadata, call);
        // A stream may be open for long before its first message.
        if (!requestStream) {
          const end = () => call.sendStatus(grpcStatus(tooSlow(), log));
          timer = setTimeout(end, options.bodyTimeoutMs).unref();
        }
        next(metadata);
      })
      .withOnReceiveMessage((message, next) => {
        clearTimeout(timer);
        next(message);
      })
      .withOnCancel(() => clearTimeout(timer))
      .build();
    const responder = new ResponderBuilder().withStart((next) => next(listener)).build();
    return new ServerInterceptingCall(call, responder);
  };
}

function tooSlow(): AloftError {
  return new AloftError('BODY_TOO_SLOW', 'The message of the call did not come in its time; send it faster.');
}

export function callCredentials(metadata: Metadata): Credentials {
  return { authorization: textOf(metadata, 'authorization'), plainKey: textOf(metadata, 'x-api-key') };
}

export function textOf(metadata: Metadata, key: string): string | undefined {
  const [value] = metadata.get(key);
  return typeof value === 'string' ? value : undefined;
}
