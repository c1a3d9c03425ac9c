/** Aloft's public interface. */
export { AloftError, ERROR_CATALOGUE, type ErrorCode } from './core/errors.js';
export type {
  ChatMessage,
  ChatPrompt,
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
  TextPrompt,
  TokensPrompt,
} from './core/generate.js';
export { type Durations, durationsOf } from './core/durations.js';
export type { BeamParams, FinishReason, RequestTimings, TokenLogprobs, Usage } from './core/request.js';
export {
  type ChatMessageInput,
  type ChatPromptInput,
  type CompletedSequence,
  type Completion,
  type Embedding,
  type EmbedOptions,
  type GenerateInput,
  LLM,
  type LoadOptions,
  type LoadProgress,
  type PromptInput,
  type RequestOptions,
  Session,
  type SessionOptions,
  type TextPart,
  type TextPromptInput,
} from './llm/llm.js';
