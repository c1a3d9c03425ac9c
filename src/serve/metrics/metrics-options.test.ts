import { expect, test } from 'vitest';
import { startTestServer } from '../testing/test-server.js';
import { readMetricsOptions } from './metrics-options.js';

async function metricsAfterOneRequest(...settings: string[]): Promise<string> {
  const server = await startTestServer({ options: { metricsOptions: readMetricsOptions(settings) } });
  try {
    await fetch(`${server.httpUrl}/v2/models/ensemble/generate`, {
      method: 'POST',
      body: JSON.stringify({ text_input: 'a', max_tokens: 3 }),
    });
    return await (await fetch(server.metricsUrl)).text();
  } finally {
    await server.close();
  }
}

test("Triton's summaries are there when asked for, of the engine's own model, too", async () => {
  const text = await metricsAfterOneRequest('summary_latencies=true', 'summary_quantiles=0.5:0.05,0.9');
  expect(text).toMatch(
    /^nv_inference_request_summary_us\{quantile="0\.9",model="ensemble",version="1"\} [1-9]\d*$/m,
  );
  expect(text).toMatch(/^nv_inference_queue_summary_us_count\{model="tensorrt_llm",version="1"\} 1$/m);
  expect(text).not.toMatch(/quantile="0\.99"/);
});

test('other latencies can be left out; the machine is always there', async () => {
  const text = await metricsAfterOneRequest('counter_latencies=false', 'histogram_latencies=false');
  expect(text).toMatch(/^nv_inference_request_success\{model="ensemble",version="1"\} 1$/m);
  expect(text).not.toMatch(/_duration_us|first_response_histogram|_summary_us/);
  expect(text).toMatch(/^nv_cpu_memory_used_bytes [1-9]/m);
  const utilization = Number(/^nv_cpu_utilization (\S+)$/m.exec(text)?.[1]);
  expect(utilization >= 0 && utilization <= 1).toBe(true);
});
