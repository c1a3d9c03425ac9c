/** Keeps `concurrency` requests running until all prompts are answered. @returns answers in the order of the prompts, and the time */
export async function runClosedLoop({ prompts, outputTokens, concurrency }, request) {
  const answers = [];
  let next = 0;
  const startMs = performance.now();
  const work = async (worker) => {
    while (next < prompts.length) {
      const index = next++;
      answers[index] = await request(prompts[index], outputTokens[index], worker);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, worker) => work(worker)));
  return { answers, seconds: (performance.now() - startMs) / 1000 };
}
