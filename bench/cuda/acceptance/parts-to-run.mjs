/**
 * The parts that a run consists of, in the order of all parts.
 * @param parts all parts, each with its `name` and the names of those that it `needs`
 * @param only names of the wanted ones; undefined for all
 * @param done names of parts that ended well before, in the same work folder at the same commit
 * @returns the wanted parts, and before them what they need and is not done
 * @throws {Error} names without a part
 */
export function partsToRun(parts, only, done) {
  if (only === undefined) return parts;
  const unknown = only.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0)
    throw new Error(
      `There is no part ${unknown.join(', ')}; parts are ${parts.map(({ name }) => name).join(', ')}.`,
    );
  const wanted = new Set();
  const add = (name) => {
    if (wanted.has(name)) return;
    wanted.add(name);
    const { needs = [] } = parts.find((part) => part.name === name);
    for (const need of needs) if (!done.includes(need)) add(need);
  };
  for (const name of only) add(name);
  return parts.filter(({ name }) => wanted.has(name));
}
