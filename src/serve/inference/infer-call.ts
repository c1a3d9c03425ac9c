/** A tensor request to a served model, and its answer. */
import type { InferRequest, InferResponse } from '../../protocol/kserve/infer.js';
import type { Caller } from '../context/access.js';
import type { RequestInfo } from '../generation/observer.js';
import type { Reader } from '../generation/reader.js';
import type { ServedModel } from '../repository/served-model.js';

export interface InferCall {
  readonly model: ServedModel;
  readonly request: InferRequest;
  readonly signal: AbortSignal;
  readonly protocol: RequestInfo['protocol'];
  readonly caller: Caller;
  readonly traceparent: string | undefined;
  /** Time the client gives, in ms from now. */
  readonly deadlineMs: number | undefined;
  /** Refused when the model's answer may have many parts and the caller can carry only one. */
  readonly acceptsMany: boolean;
  /** True for calls that are made to carry many responses: each sequence of a decoupled model is then one, streamed or not. */
  readonly isStream: boolean;
}

/** Responses that are ready together. The last batch is final; it may be empty. */
export interface ResponseBatch {
  readonly responses: readonly InferResponse[];
  readonly isFinal: boolean;
}

/** Never throws: what is wrong with a request ends its reader, at once or later. */
export type Infer = (call: InferCall, reader: Reader<ResponseBatch>) => void;
