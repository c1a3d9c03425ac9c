/** Aloft's public interface. */
export { AloftError, ERROR_CATALOGUE, type ErrorCode } from './core/errors.js';
export type {
  ChatMessage,
  EmbeddingRequest,
  GenerateEvent,
  GenerateFailedEvent,
  GenerateFinishedEvent,
  GenerateRequest,
  ModelCard,
  Prompt,
  PromptScoreEvent,
  SequenceTextEvent,
  StartedEvent,
  TextEvent,
} from './core/generate.js';
export type { BeamParams, FinishReason, RequestTimings, TokenLogprobs, Usage } from './core/request.js';
export {
  type Completion,
  type Embedding,
  type EmbedOptions,
  type GenerateInput,
  LLM,
  type LoadOptions,
} from './llm/llm.js';
