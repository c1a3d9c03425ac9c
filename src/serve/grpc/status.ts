/** Errors as gRPC statuses. */
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { ERROR_CATALOGUE, reportError } from '../../core/errors.js';

export function grpcStatus(thrown: unknown): StatusObject {
  const report = reportError(thrown);
  return { code: ERROR_CATALOGUE[report.code].grpc, details: report.message, metadata: new Metadata() };
}
