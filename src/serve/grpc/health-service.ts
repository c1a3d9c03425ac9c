/** grpc.health.v1.Health: of the server (empty service name), of the inference service, and of models by name. */
import { create } from '@bufbuild/protobuf';
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { AloftError } from '../../core/errors.js';
import { requireWithin } from '../../core/request-limits.js';
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Status,
  HealthCheckResponseSchema,
} from '../../protocol/gen/health_pb.js';
import { decodeRequest, type Outgoing } from '../../protocol/grpc/service.js';
import type { ServerContext } from '../context/server-context.js';
import { grpcStatus } from './status.js';

const WATCH_INTERVAL_MS = 500;
/** Probes need no key, so their number has a limit of its own. */
const MAX_WATCHERS = 1024;

/** @param watchers takes the calls of Watch */
export function healthHandlers(context: ServerContext, watchers: Watchers) {
  return {
    Check(call: ServerUnaryCall<Outgoing, Outgoing>, respond: sendUnaryData<Outgoing>): void {
      try {
        const service = serviceOf(call.request);
        const status = statusOf(context, service);
        if (status === Status.SERVICE_UNKNOWN)
          throw new AloftError('MODEL_NOT_FOUND', `There is no service or model '${service}'.`);
        respond(null, create(HealthCheckResponseSchema, { status }));
      } catch (error) {
        respond(grpcStatus(error, context.log));
      }
    },
    /** Reports the status at once and at every change. */
    Watch(call: ServerWritableStream<Outgoing, Outgoing>): void {
      try {
        watchers.add(call, serviceOf(call.request));
      } catch (error) {
        call.emit('error', grpcStatus(error, context.log));
      }
    },
  };
}

interface Watcher {
  readonly service: string;
  readonly call: ServerWritableStream<Outgoing, Outgoing>;
  written: Status | undefined;
}

/** All open Watch calls, with one timer. */
export class Watchers {
  readonly #context: ServerContext;
  readonly #open = new Set<Watcher>();
  #timer: NodeJS.Timeout | undefined;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** @throws {AloftError} SERVER_BUSY */
  add(call: ServerWritableStream<Outgoing, Outgoing>, service: string): void {
    if (this.#open.size >= MAX_WATCHERS)
      throw new AloftError('SERVER_BUSY', `${MAX_WATCHERS} calls of Watch are open; end one, or use Check.`);
    const watcher: Watcher = { service, call, written: undefined };
    this.#open.add(watcher);
    const remove = () => {
      this.#open.delete(watcher);
      if (this.#open.size === 0) clearInterval(this.#timer);
    };
    call.on('cancelled', remove);
    call.on('close', remove);
    if (this.#open.size === 1) this.#timer = setInterval(() => this.#notifyAll(), WATCH_INTERVAL_MS);
    this.#notify(watcher, statusOf(this.#context, service));
  }

  /** Ends all with the reason, after the last status. */
  shutDown(): void {
    this.#notifyAll();
    const fault = new AloftError('SHUTTING_DOWN', 'Server exiting');
    for (const { call } of this.#open) call.emit('error', grpcStatus(fault, this.#context.log));
    this.#open.clear();
    clearInterval(this.#timer);
  }

  /** Asks once for each service: many watch the same. */
  #notifyAll(): void {
    const statuses = new Map<string, Status>();
    for (const watcher of this.#open) {
      const { service } = watcher;
      const status = statuses.get(service) ?? statusOf(this.#context, service);
      statuses.set(service, status);
      this.#notify(watcher, status);
    }
  }

  #notify(watcher: Watcher, status: Status): void {
    if (status !== watcher.written) watcher.call.write(create(HealthCheckResponseSchema, { status }));
    watcher.written = status;
  }
}

/** @throws {AloftError} REQUEST_INVALID */
function serviceOf(request: Outgoing): string {
  const { service } = decodeRequest(HealthCheckRequestSchema, request);
  requireWithin('idCharacters', service.length, 'The name of the service');
  return service;
}

function statusOf({ health, repository }: ServerContext, service: string): Status {
  const serving = (isServing: boolean) => (isServing ? Status.SERVING : Status.NOT_SERVING);
  if (service === '' || service === 'inference.GRPCInferenceService')
    return serving(health.notReadyReason() === undefined);
  if (repository.list().some((entry) => entry.files.name === service))
    return serving(health.isModelReady(service, ''));
  return Status.SERVICE_UNKNOWN;
}
