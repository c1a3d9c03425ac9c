/** Waits for a promise, but not for longer than `limitMs`. @returns whether it was in time */
export async function withLimit(promise: Promise<void>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), limitMs)));
  const isInTime = await Promise.race([promise.then(() => true), limit]);
  clearTimeout(timer);
  return isInTime;
}
