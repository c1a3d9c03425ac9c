/**
 * A name that nothing else has. `crypto.randomUUID` is no way to it: browsers lack it on pages that come over plain HTTP from
 * another machine.
 */
export function newId(): string {
  const words = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('');
}
