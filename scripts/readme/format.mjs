/** A number with commas between thousands, rounded to `digits` decimals. */
export const number = (value, digits = 0) =>
  value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** A Markdown table; all columns but the first are aligned to the right. */
export function table(header, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = header.map((_, column) => (column === 0 ? '---' : '--:'));
  return [header, rule, ...rows].map(line).join('\n');
}

const LINE_WIDTH = 120;

/** Text in lines of at most `LINE_WIDTH` characters, longer words excepted. */
export function paragraph(text) {
  const lines = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length > LINE_WIDTH) lines.push(word);
    else lines.splice(-1, 1, longer);
  }
  return lines.join('\n');
}

/** Origin of figures: the script, its commit and links to the result files. @param root path from the document to the README's folder */
export function source({ script, commit, paths, root = '' }) {
  const files = [...new Set(paths)].toSorted(byText).map((path) => `${root}bench/results/${path}`);
  const links =
    files.length === 1
      ? `[results](${files[0]})`
      : `results ${files.map((file, i) => `[${i + 1}](${file})`).join(', ')}`;
  return `\`${script}\` at commit ${commit}; ${links}`;
}

/** How often cases were measured, in words. @param counts runs of each case */
export function runsOf(counts) {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (most === 1) return 'one run a case';
  return `the mean of ${least === most ? most : `${least} to ${most}`} runs a case`;
}

export const byText = (a, b) => (a < b ? -1 : Number(a > b));
