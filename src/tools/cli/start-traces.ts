/** Loads what sends traces only where there is a collector: OpenTelemetry's packages are optional. */
import { AloftError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { optionalPackage } from '../../core/optional-package.js';
import { optionalPackages } from './package-version.js';
import type { TraceTarget } from './trace-flags.js';

type Exporter = Pick<typeof import('./trace-export.js'), 'exportTraces'>;

/**
 * @param load imports the sender
 * @returns as {@link Exporter.exportTraces}
 * @throws {AloftError} PACKAGE_MISSING
 */
export async function startTraces(
  target: TraceTarget,
  log: Log,
  load: () => Promise<Exporter> = () => import('./trace-export.js'),
): Promise<() => Promise<boolean>> {
  const sender = await optionalPackage(load);
  if (sender !== undefined) return sender.exportTraces(target, log);
  throw new AloftError(
    'PACKAGE_MISSING',
    `Traces go to a collector through packages of OpenTelemetry that are not installed; run npm install ${optionalPackages().join(' ')} (with --global where aloft is), or leave out --trace-config and OTEL_EXPORTER_OTLP_ENDPOINT.`,
  );
}
