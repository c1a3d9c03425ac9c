/**
 * Duration of a step by what it computes, from measured runs of the acceptance benchmark on one GPU:
 *
 *   tokens (a curve through measured points) + context of decode rows (per token) + pairs of prompt attention (per pair)
 *
 * Each term comes from rows of the record that differ in nothing else, so no figure is written here.
 */

/**
 * Median cost of reading one token of context in a decode step, ms: from rows of the same batch and other lengths.
 * A step in the middle of a run has read the prompt and half of the output.
 */
function contextMs(rows) {
  const costs = [];
  for (const [at, row] of rows.entries())
    for (const other of rows.slice(at + 1)) {
      const tokens = contextTokens(other) - contextTokens(row);
      // One row alone is bound by latency: its cost a token says nothing of many.
      if (other.batch_size === row.batch_size && row.batch_size > 1 && tokens !== 0)
        costs.push((other['decode_step(ms)'] - row['decode_step(ms)']) / tokens);
    }
  return median(costs);
}

const contextTokens = ({ batch_size, input_length, output_length }) =>
  batch_size * (input_length + output_length / 2);

/** Pairs of a query with itself or an earlier token, for a prompt of these tokens after `before` known ones. */
export const promptPairs = (tokens, before) => tokens * before + (tokens * (tokens + 1)) / 2;

/**
 * Cost of a pair in prompt attention, ms: one long prompt against as many tokens in short ones, both one step.
 */
function pairMs(rows) {
  const first = (batch, input) =>
    find(rows, { batch_size: batch, input_length: input, output_length: 128 })['first_token(ms)'];
  const pairs = promptPairs(2048, 0) - 16 * promptPairs(128, 0);
  return (first(1, 2048) - first(16, 128)) / pairs;
}

/**
 * @param record an acceptance run with the parts wide-short, wide-long and int8-short
 * @returns the terms: `curve` [[tokens, ms], ...], `contextMs` and `pairMs`
 */
export function stepCosts(record) {
  const rowsOf = (name) => record.parts.find((part) => part.name === name).data.rows;
  const wide = rowsOf('wide-short');
  const perContext = contextMs([...wide, ...rowsOf('wide-long')]);
  const perPair = pairMs(wide);
  const decode = wide
    .filter(({ input_length }) => input_length === 128)
    .map((row) => [row.batch_size, row['decode_step(ms)'] - perContext * contextTokens(row)]);
  const prompt = (row) => [
    row.batch_size * row.input_length,
    row['first_token(ms)'] - perPair * row.batch_size * promptPairs(row.input_length, 0),
  ];
  const short = ({ input_length }) => input_length === 128;
  // Prompts of less than 2,048 tokens were measured with the engine whose cache has 16 bits: the same weights and linears.
  const few = rowsOf('int8-short').filter((row) => short(row) && row.batch_size < 16);
  const many = wide.filter((row) => short(row) && row.batch_size >= 16);
  return { curve: [...decode, ...[...few, ...many].map(prompt)], contextMs: perContext, pairMs: perPair };
}

/** Duration of a step in ms. @param costs from {@link stepCosts} */
export function stepMs({ curve, contextMs: perContext, pairMs: perPair }, { tokens, context, pairs }) {
  return onCurve(curve, tokens) + perContext * context + perPair * pairs;
}

/** Straight lines between the points, the last one beyond them. */
function onCurve(curve, tokens) {
  let at = 1;
  while (at < curve.length - 1 && curve[at][0] < tokens) at++;
  const [[x0, y0], [x1, y1]] = [curve[at - 1], curve[at]];
  return y0 + ((y1 - y0) * (tokens - x0)) / (x1 - x0);
}

function find(rows, wanted) {
  return rows.find((row) => Object.entries(wanted).every(([key, value]) => row[key] === value));
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
