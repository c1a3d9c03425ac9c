import type { RequestInfo } from '../generation/observer.js';
import type { GenerationModel } from '../repository/served-model.js';

/** What observers are told of a request to a model. */
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
