/**
 * Reads what compute-sanitizer printed, and decides which of its reports count. It has no effect beyond its return
 * values, so a test without a GPU covers it.
 *
 * A report of racecheck names an access and, in indented lines below, the accesses that it races with:
 *
 *   ========= Error: Race reported between Write access at cluster_store(unsigned int, float)+0x5e70 in cluster.cuh:24
 *   =========     and Read access at load_shared16(unsigned int)+0x6310 in prelude.cuh:92 [63488 hazards]
 *
 * Names are those of the innermost function at that place, inlined ones too; the kernel's own name is not there.
 */

/** Lines of the tool that report nothing. */
const SILENT = /^(COMPUTE-SANITIZER|(RACECHECK|ERROR|LEAK) SUMMARY)\b/;
const RACE = /^(Error|Warning): Race reported between (.*)$/i;
const ACCESS = /^(Read|Write) access at (.*?)(?:\+0x[0-9a-f]+)?(?: in (\S+:\d+))?(?: \[(\d+) hazards?\])?$/;
/** Kernels of the matrix library, whose synchronisation the tool does not follow. They have no names but their own. */
const FOREIGN = /^(?:void )?(nvjet|cutlass|cublas|sm\d+_xmma)/;

function accessOf(text) {
  const [, kind, name, place, hazards = '0'] = ACCESS.exec(text) ?? [];
  return kind === undefined ? undefined : { kind, name, place, hazards: Number(hazards) };
}

/**
 * @param text what the tool printed beside the program that it watched
 * @returns `races`, each with its accesses; `others`, the first line of every other report; and how many errors and warnings
 *   the tool's own summary counts, undefined when there is no summary
 */
export function parseReports(text) {
  const races = [];
  const others = [];
  let counted;
  for (const line of text.split('\n')) {
    const [, indent, body] = /^=========( *)(.*?)\s*$/.exec(line) ?? [];
    if (body === undefined || body === '') continue;
    if (indent.length > 1) {
      const access = body.startsWith('and ') ? accessOf(body.slice(4)) : undefined;
      if (access !== undefined) races.at(-1)?.accesses.push(access);
      continue;
    }
    const [, severity, first = ''] = RACE.exec(body) ?? [];
    const access = accessOf(first);
    if (access !== undefined) races.push({ severity, accesses: [access] });
    else if (!SILENT.test(body)) others.push(body);
    const summary =
      /SUMMARY: .*\((\d+) errors?, (\d+) warnings?\)/.exec(body) ?? /SUMMARY: (\d+) errors?()/.exec(body);
    if (summary !== null) counted = Number(summary[1]) + Number(summary[2]);
  }
  return { races, others, counted };
}

/** True when every access is a write in one of the two functions or a read in the other, and both are there. */
export function isPair({ accesses }, { write, read }) {
  const is = (access, kind, name) =>
    access.kind === kind && new RegExp(`(^|[\\s:])${name}(\\(|$)`).test(access.name);
  const writes = accesses.filter((access) => is(access, 'Write', write)).length;
  const reads = accesses.filter((access) => is(access, 'Read', read)).length;
  // The accesses below a report race with the first one, so there is one on one side.
  return writes + reads === accesses.length && Math.min(writes, reads) === 1;
}

export const hazardsOf = (races) =>
  races.flatMap(({ accesses }) => accesses).reduce((sum, { hazards }) => sum + hazards, 0);

/**
 * Sorts the reports of one run of the tool.
 * @param excused the pair of functions whose races are counted apart; without one, nothing is excused
 * @returns the excused races, the number of reports in kernels of the matrix library, and a sentence for all that counts
 */
export function judgeReports(text, excused) {
  const { races, others, counted } = parseReports(text);
  const isForeign = ({ accesses }) => accesses.every(({ name }) => FOREIGN.test(name));
  const foreign = races.filter(isForeign);
  const ours = races.filter((race) => !isForeign(race));
  const pair = ours.filter((race) => excused !== undefined && isPair(race, excused));
  const faults = [...ours.filter((race) => !pair.includes(race)).map(sentenceOf), ...others];
  const read = races.length + others.length;
  if (counted === undefined) faults.push('compute-sanitizer printed no summary: it did not end');
  else if (counted > read) faults.push(`compute-sanitizer counts ${counted} reports, and ${read} were read`);
  return { excused: pair, foreignCount: foreign.length, faults };
}

const sentenceOf = ({ severity, accesses }) => {
  const places = accesses.map(({ kind, name, place }) => `${kind} in ${name} (${place ?? 'no source line'})`);
  return `${severity}: ${places.join(' and ')}`;
};

/** Each sentence once, behind the number of times that it is there. */
export function withCounts(sentences) {
  const counts = new Map();
  for (const sentence of sentences) counts.set(sentence, (counts.get(sentence) ?? 0) + 1);
  return [...counts].map(([sentence, count]) => (count === 1 ? sentence : `${count} x ${sentence}`));
}
