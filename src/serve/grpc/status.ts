/** Errors as gRPC statuses. */
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { ERROR_CATALOGUE } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { clientReport } from '../inference/client-report.js';

const STATUSES: ReadonlyMap<number, status> = new Map(
  Object.values(status).flatMap((value) => (typeof value === 'number' ? [[value, value]] : [])),
);

export function grpcStatus(thrown: unknown, log: Log): StatusObject {
  const report = clientReport(thrown, log);
  const code = STATUSES.get(ERROR_CATALOGUE[report.code].grpc) ?? status.UNKNOWN;
  return { code, details: report.message, metadata: new Metadata() };
}
