/** Errors as gRPC statuses. */
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { ERROR_CATALOGUE } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { clientReport } from '../client-report.js';

export function grpcStatus(thrown: unknown, log: Log): StatusObject {
  const report = clientReport(thrown, log);
  return { code: ERROR_CATALOGUE[report.code].grpc, details: report.message, metadata: new Metadata() };
}
