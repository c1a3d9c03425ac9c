/** The gRPC server: inference.GRPCInferenceService and grpc.health.v1.Health. */
import {
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { hostAndPort } from '../../core/network-address.js';
import { HEALTH_SERVICE, INFERENCE_SERVICE } from '../../protocol/grpc/service.js';
import type { ServeOptions } from '../context/options.js';
import type { ServerContext } from '../context/server-context.js';
import { callGuard } from './guard.js';
import { healthHandlers, Watchers } from './health-service.js';
import { modelInferHandler } from './model-infer.js';
import { InferStreams } from './model-stream-infer.js';
import { RawStreams } from './raw-streams.js';
import { unaryHandlers } from './unary.js';

export interface GrpcService {
  readonly server: Server;
  /** Ends streams and calls of Watch that clients keep open with the reason: the library would cancel them. */
  readonly endStreams: () => void;
}

export function createGrpcServer(context: ServerContext): GrpcService {
  setLogVerbosity(logVerbosity.NONE); // what goes wrong is in our own words, not in raw lines before them
  const { options } = context;
  const rawStreams = new RawStreams();
  const server = new Server({
    'grpc.max_receive_message_length': options.maxBodyBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_metadata_size': options.maxHeaderBytes,
    'grpc.so_reuseport': 0,
    'grpc.max_concurrent_streams': options.maxStreamsPerConnection,
    interceptors: [callGuard(context, rawStreams)],
  });
  const streams = new InferStreams(context, rawStreams);
  const watchers = new Watchers(context);
  const handlers: UntypedServiceImplementation = {
    ...unaryHandlers(context),
    ModelInfer: modelInferHandler(context),
    ModelStreamInfer: streams.handler,
  };
  server.addService(INFERENCE_SERVICE, handlers);
  server.addService(HEALTH_SERVICE, { ...healthHandlers(context, watchers) });
  const endStreams = (): void => {
    streams.shutDown();
    watchers.shutDown();
  };
  return { server, endStreams };
}

/** @returns the port. @throws the library's error, whose words hold the system's code */
export async function listenGrpc(
  server: Server,
  host: string,
  port: number,
  tls: ServeOptions['tls'],
): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.bindAsync(hostAndPort(host, port), credentials(tls), (error, boundPort) => {
      if (error === null) resolve(boundPort);
      else reject(error);
    });
  });
}

function credentials(tls: ServeOptions['tls']): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const authority = tls.clientAuthority === undefined ? null : Buffer.from(tls.clientAuthority);
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) };
  return ServerCredentials.createSsl(authority, [pair], authority !== null);
}
