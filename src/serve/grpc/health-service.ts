/** grpc.health.v1.Health: of the server (empty service name), of the inference service, and of models by name. */
import { create } from '@bufbuild/protobuf';
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { AloftError } from '../../core/errors.js';
import {
  HealthCheckResponse_ServingStatus as Status,
  HealthCheckResponseSchema,
  type HealthCheckRequest,
} from '../../protocol/gen/health_pb.js';
import type { Outgoing } from '../../protocol/grpc/service.js';
import type { ServerContext } from '../context/server-context.js';
import { grpcStatus } from './status.js';

const WATCH_INTERVAL_MS = 500;

export function healthHandlers(context: ServerContext) {
  return {
    Check(call: ServerUnaryCall<Outgoing, Outgoing>, respond: sendUnaryData<Outgoing>): void {
      const { service } = call.request as HealthCheckRequest;
      const status = statusOf(context, service);
      if (status !== Status.SERVICE_UNKNOWN)
        return respond(null, create(HealthCheckResponseSchema, { status }));
      respond(
        grpcStatus(
          new AloftError('MODEL_NOT_FOUND', `There is no service or model '${service}'.`),
          context.log,
        ),
      );
    },
    /** Tells the status at once and at every change. */
    Watch(call: ServerWritableStream<Outgoing, Outgoing>): void {
      const { service } = call.request as HealthCheckRequest;
      let written: Status | undefined;
      const notify = () => {
        const status = statusOf(context, service);
        if (status !== written) call.write(create(HealthCheckResponseSchema, { status }));
        written = status;
      };
      notify();
      const timer = setInterval(notify, WATCH_INTERVAL_MS);
      call.on('cancelled', () => clearInterval(timer));
      call.on('close', () => clearInterval(timer));
    },
  };
}

function statusOf({ health, repository }: ServerContext, service: string): Status {
  const serving = (isServing: boolean) => (isServing ? Status.SERVING : Status.NOT_SERVING);
  if (service === '' || service === 'inference.GRPCInferenceService')
    return serving(health.notReadyReason() === undefined);
  if (repository.list().some((entry) => entry.files.name === service))
    return serving(health.isModelReady(service, ''));
  return Status.SERVICE_UNKNOWN;
}
