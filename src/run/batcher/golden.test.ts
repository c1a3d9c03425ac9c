import { ToyExecutor } from '../executor/testing/toy-executor.js';
import { defineGoldenSuite } from './testing/golden-suite.js';
import { mixedRequests } from './testing/mixed-requests.js';

const limits = {
  maxStepTokens: 128,
  maxRows: 24,
  maxLogits: 32,
  blockTokens: 8,
  maxSequenceTokens: 128,
  vocabulary: 48,
};

defineGoldenSuite({
  name: 'toy executor, 200 mixed requests',
  openExecutor: async (memory) => new ToyExecutor({ limits: { ...limits, ...memory } }),
  requests: mixedRequests(200, 7, {
    vocabulary: limits.vocabulary,
    maxPromptTokens: 70,
    maxOutputTokens: 40,
    withBeams: true,
  }),
  ampleBlockCount: 512,
  tightBlockCount: 40,
  smallStepTokens: 24,
  ways: 'all',
});
