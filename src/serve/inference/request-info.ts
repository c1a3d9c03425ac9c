import type { RequestInfo } from '../generation/observer.js';
import type { GenerationModel } from '../repository/served-model.js';

/** Facts about a request to a model for its observers. */
export function requestInfo(
  { name, version, engine, stages }: GenerationModel,
  call: Pick<RequestInfo, 'protocol' | 'arrivedMs' | 'traceparent'>,
): RequestInfo {
  const { protocol, arrivedMs, traceparent } = call;
  return {
    modelName: name,
    modelVersion: version,
    engineName: engine.name,
    engineVersion: engine.version,
    stages,
    protocol,
    arrivedMs,
    traceparent,
  };
}
