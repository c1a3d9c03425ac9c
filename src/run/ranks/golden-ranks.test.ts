/** The golden suite of the batcher over two processes: what a request is answered depends on nothing but the request. */
import { defineGoldenSuite } from '../batcher/testing/golden-suite.js';
import { mixedRequests } from '../batcher/testing/mixed-requests.js';
import { openRanks } from './open-ranks.js';
import type { RandomRankOptions } from './testing/random-rank.js';

const RANK_URL = new URL('./testing/random-rank.js', import.meta.url).href;
const LIMITS = { maxStepTokens: 128, maxRows: 24, maxLogits: 32, blockTokens: 8, maxSequenceTokens: 128 };

defineGoldenSuite({
  name: 'two CPU ranks',
  openExecutor(memory) {
    const rankOptions: RandomRankOptions = { limits: { ...LIMITS, ...memory } };
    return openRanks({ worldSize: 2, rankUrl: RANK_URL, rankOptions });
  },
  requests: mixedRequests(60, 11, {
    vocabulary: 101,
    maxPromptTokens: 70,
    maxOutputTokens: 40,
    withBeams: true,
  }),
  ampleBlockCount: 512,
  tightBlockCount: 40,
  smallStepTokens: 24,
  ways: 'all',
});
