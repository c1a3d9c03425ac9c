/** Service definitions for @grpc/grpc-js, made from the generated descriptors. Used by the server and the client. */
import {
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
  type Message,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { AloftError } from '../../core/errors.js';
import { Health } from '../gen/health_pb.js';
import { GRPCInferenceService } from '../gen/inference_pb.js';
import { checkWireCost } from './wire-cost.js';

/** Either a message or its bytes: made by a faster encoder, or not yet decoded. */
export type Outgoing = Message | Uint8Array;

function serializer(schema: DescMethod['input']): (message: Outgoing) => Buffer {
  return (message) => {
    const bytes = message instanceof Uint8Array ? message : toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function methodDefinition(service: DescService, method: DescMethod): MethodDefinition<Outgoing, Outgoing> {
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: serializer(method.input),
    // Handlers decode requests, with {@link decodeRequest}: its errors have codes.
    requestDeserialize: (bytes) => bytes,
    responseSerialize: serializer(method.output),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

/**
 * The message that a handler was given as bytes.
 * @throws {AloftError} REQUEST_INVALID when it has more fields than the limit, or its bytes are no such message
 */
export function decodeRequest<Desc extends DescMessage>(schema: Desc, given: Outgoing): MessageShape<Desc> {
  const bytes = given as Uint8Array;
  checkWireCost(schema, bytes);
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    const message = `The request is no message of type ${schema.typeName}; check that client and server have the same .proto.`;
    throw new AloftError('REQUEST_INVALID', message, { cause });
  }
}

function serviceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [method.name, methodDefinition(service, method)]),
  );
}

/** inference.GRPCInferenceService: KServe v2 with Triton's extensions. */
export const INFERENCE_SERVICE: ServiceDefinition = serviceDefinition(GRPCInferenceService);
/** grpc.health.v1.Health */
export const HEALTH_SERVICE: ServiceDefinition = serviceDefinition(Health);
