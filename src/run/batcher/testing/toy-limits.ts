/** Limits of a toy executor whose few rows and blocks a test can fill. @param vocabulary tokens that its model knows */
export const toyLimits = (vocabulary: number) => ({
  maxStepTokens: 64,
  maxRows: 8,
  maxLogits: 16,
  blockTokens: 4,
  blockCount: 64,
  hostBlockCount: 0,
  maxSequenceTokens: 64,
  vocabulary,
});
