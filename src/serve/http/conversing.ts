/** Conversations: what the model's family makes of tools and thoughts, from the request to the events of the answer. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import type {
  AnswerPart,
  ConversationRequest,
  ConversationBody,
  ConversationEvent,
  ConversationWriter,
} from '../../core/conversation.js';
import type { GenerateEvent, GenerateRequest, ThoughtTags } from '../../core/generate.js';
import type { PromptedEvent } from '../../protocol/openai/answer.js';
import type { MemberNames } from '../../protocol/openai/member-names.js';
import { AnswerReader } from '../../text/calls/answer-reader.js';
import { heldAnswer } from '../../text/calls/call-course.js';
import type { CallFormat } from '../../text/calls/call-format.js';
import { callFormatNamed } from '../../text/calls/call-formats.js';
import { thoughtTagsNamed } from '../../text/calls/thought-tags.js';
import type { ServerContext } from '../context/server-context.js';
import type { GenerationModel } from '../repository/served-model.js';
import { answer } from './answering.js';
import { thoughtTokenCount } from './thought-tokens.js';

export interface ConversationJob {
  readonly isStream: boolean;
  readonly model: GenerationModel;
  readonly conversation: ConversationRequest;
  readonly names: MemberNames;
  /** Beginning of the ids of calls. */
  readonly callPrefix: string;
  readonly stream: ConversationWriter;
  readonly whole: ConversationBody;
}

/** Runs a conversation and writes its answer. */
export async function converse(
  context: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  job: ConversationJob,
): Promise<FastifyReply> {
  const { isStream, model, conversation, names, stream, whole } = job;
  const family = familyOf(context, model, conversation);
  const events = new ConversationEvents(job, family);
  return await answer(context, request, reply, {
    model,
    requests: [heldRequest(conversation, family)],
    names,
    stream: isStream
      ? {
          push: (item) =>
            events
              .of(item)
              .map((event) => stream.push(event))
              .join(''),
          end: () => stream.end(),
          fail: (report, param) => stream.fail(report, param),
        }
      : undefined,
    whole: {
      push: (item) => {
        for (const event of events.of(item)) whole.push(event);
      },
      body: () => whole.body(),
    },
  });
}

/** Forms that the answer of a model may have. */
interface Family {
  /** Undefined where no calls can come. */
  readonly format: CallFormat | undefined;
  readonly thought: ThoughtTags | undefined;
}

/** Form of calls for models whose templates ask for none: it is held to where calls must come. */
const DEFAULT_FORMAT = 'hermes';

/** The command line goes before what the chat template shows. */
function familyOf(
  { options }: ServerContext,
  model: GenerationModel,
  conversation: ConversationRequest,
): Family {
  const { callFormat, thought } = model.engine.loaded.generator.model;
  const { tools, choice } = conversation;
  const name = options.toolCallParser ?? callFormat ?? DEFAULT_FORMAT;
  const { reasoningParser: parser } = options;
  return {
    format: tools.length === 0 || choice.type === 'none' ? undefined : callFormatNamed(name),
    thought: parser === undefined ? thought : thoughtTagsNamed(parser),
  };
}

/** The request with everything that its answer is held to. */
function heldRequest(conversation: ConversationRequest, { format, thought }: Family): GenerateRequest {
  const { request, tools, choice, isParallel, isNarrowed = false, holdsObjects = false } = conversation;
  const marks = [...(format?.marks ?? []), ...(thought ? [thought.begin, thought.end] : [])];
  const { constraint, ...rest } = request;
  // A message that goes on is in the middle of its answer.
  const hasThought = request.continuesPrompt !== true && !request.echo;
  return {
    ...rest,
    ...(marks.length === 0 ? {} : { shownTokens: marks }),
    ...heldAnswer({
      shape: (format ?? callFormatNamed(DEFAULT_FORMAT)).shape,
      tools,
      choice: format === undefined ? { type: 'none' } : choice,
      isParallel,
      isNarrowed,
      holdsObjects,
      thought: hasThought ? thought : undefined,
      thoughtTokens: conversation.thought.maxTokens,
      constraint,
    }),
  };
}

/** Tokens at the end of a prompt that may hold the tag of a thought. */
const END_TOKENS = 16;

/** Makes the events of a conversation from those of its generation. */
class ConversationEvents {
  readonly #job: ConversationJob;
  readonly #family: Family;
  readonly #readers = new Map<number, AnswerReader>();
  #isThinking = false;
  #thoughtTokens: number | undefined;

  constructor(job: ConversationJob, family: Family) {
    this.#job = job;
    this.#family = family;
    if (family.thought !== undefined) this.#thoughtTokens = 0;
  }

  of({ event }: PromptedEvent): ConversationEvent[] {
    switch (event.type) {
      case 'started':
        return [this.#started(event.promptTokenIds)];
      case 'text': {
        const { sequence, logprobs } = event;
        const parts = this.#parts(sequence, event.text);
        return parts.length === 0 && logprobs === undefined
          ? []
          : [{ type: 'parts', sequence, parts, logprobs }];
      }
      case 'sequence':
        return this.#ended(event);
      case 'finished':
        return [{ type: 'finished', usage: event.usage, thoughtTokens: this.#thoughtTokens }];
      default:
        return [];
    }
  }

  #started(promptTokenIds: readonly number[]): ConversationEvent {
    const { thought } = this.#family;
    if (thought !== undefined) {
      const end = this.#job.model.engine.loaded.codec.decode(promptTokenIds.slice(-END_TOKENS), false);
      this.#isThinking = end.trimEnd().endsWith(thought.begin);
    }
    return { type: 'started', promptTokenCount: promptTokenIds.length };
  }

  #parts(sequence: number, text: string): readonly AnswerPart[] {
    const { format, thought } = this.#family;
    if (text === '') return [];
    if (format === undefined && thought === undefined) return [{ type: 'text', text }];
    return this.#shown(this.#readerOf(sequence).push(text));
  }

  #ended(event: Extract<GenerateEvent, { type: 'sequence' }>): ConversationEvent[] {
    const { sequence, finishReason, stop } = event;
    const reader = this.#readers.get(sequence);
    const parts = this.#shown(reader?.end() ?? []);
    const callCount = reader?.callCount ?? 0;
    if (reader?.hasThought) this.#countThought(event.tokenIds);
    const end: ConversationEvent = { type: 'sequence', sequence, finishReason, stop, callCount };
    return parts.length === 0 ? [end] : [{ type: 'parts', sequence, parts, logprobs: undefined }, end];
  }

  #countThought(tokenIds: readonly number[]): void {
    const { codec } = this.#job.model.engine.loaded;
    this.#thoughtTokens! += thoughtTokenCount(codec, tokenIds, this.#family.thought!.end);
  }

  #shown(parts: readonly AnswerPart[]): readonly AnswerPart[] {
    const { isShown, isSeparate } = this.#job.conversation.thought;
    return isShown || !isSeparate ? parts : parts.filter(({ type }) => type !== 'thought');
  }

  #readerOf(sequence: number): AnswerReader {
    let reader = this.#readers.get(sequence);
    if (reader === undefined) {
      const { tools, isParallel, thought } = this.#job.conversation;
      reader = new AnswerReader({
        format: this.#family.format,
        tools,
        thought: thought.isSeparate ? this.#family.thought : undefined,
        isThinking: this.#isThinking,
        callId: () => callId(this.#family.format, this.#job.callPrefix),
        maxCalls: isParallel ? Infinity : 1,
      });
      this.#readers.set(sequence, reader);
    }
    return reader;
  }
}

/** Some templates refuse ids of another form when they come back. */
function callId(format: CallFormat | undefined, prefix: string): string {
  if (format?.hasShortIds) return randomBytes(5).toString('hex').slice(0, 9);
  return `${prefix}${randomBytes(12).toString('hex')}`;
}
