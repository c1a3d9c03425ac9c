/** Response -> body of POST /v2/models/M/infer, with raw tensors behind the JSON where the request asked for them. */
import { writeJson } from '../json.js';
import type { InferRequest, InferResponse } from './infer.js';
import { rawBytes } from './tensor-bytes.js';
import { valuesOf } from './tensor-json.js';
import type { Tensor } from './tensor.js';

export interface HttpInferReply {
  readonly body: Uint8Array;
  /** Value of `Inference-Header-Content-Length`; undefined when all is JSON. */
  readonly jsonBytes: number | undefined;
}

export function writeInferResponse(request: InferRequest, response: InferResponse): HttpInferReply {
  const chunks: Uint8Array[] = [];
  const outputs = response.outputs.map((tensor) => {
    const { name, datatype, shape } = tensor;
    if (!wantsBinary(request, tensor)) return { name, datatype, shape, data: valuesOf(tensor) };
    const bytes = rawBytes(tensor);
    chunks.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const hasParameters = Object.keys(response.parameters).length > 0;
  const json = Buffer.from(
    writeJson({
      ...(response.id === '' ? {} : { id: response.id }),
      model_name: response.modelName,
      model_version: response.modelVersion,
      ...(hasParameters ? { parameters: response.parameters } : {}),
      outputs,
    }),
  );
  if (chunks.length === 0) return { body: json, jsonBytes: undefined };
  return { body: Buffer.concat([json, ...chunks]), jsonBytes: json.length };
}

function wantsBinary(request: InferRequest, tensor: Tensor): boolean {
  const asked = request.outputs.find((output) => output.name === tensor.name)?.parameters['binary_data'];
  return (asked ?? request.parameters['binary_data_output']) === true;
}
