/** Metrics of the machine as Triton has them, of this process, and the delay of the thread that answers all requests. */
import { cpus, freemem, totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** Exactness of the delay; finer costs more. */
const DELAY_RESOLUTION_MS = 10;

export function registerHostMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry }); // memory, CPU time, open files, garbage collection, event loop
  let last = cpuTimes();
  let utilization = 0;
  const gauge = (name: string, help: string, value: () => number) => {
    const metric: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        metric.set(value());
      },
    });
  };
  gauge(
    'nv_cpu_utilization',
    'CPU utilization rate [0.0 - 1.0] since the metrics were last asked for',
    () => {
      const now = cpuTimes();
      const total = now.total - last.total;
      // Two scrapers at the same moment must not divide by zero.
      if (total > 0) utilization = 1 - (now.idle - last.idle) / total;
      last = now;
      return utilization;
    },
  );
  gauge('nv_cpu_memory_total_bytes', 'CPU total memory (RAM), in bytes', totalmem);
  gauge('nv_cpu_memory_used_bytes', 'CPU used memory (RAM), in bytes', () => totalmem() - freemem());
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  gauge(
    'aloft_event_loop_delay_seconds',
    'Longest time for which no request could be answered since the metrics were last asked for.',
    () => {
      const longestSeconds = delay.max / 1e9;
      delay.reset();
      return longestSeconds;
    },
  );
}

/** Milliseconds of all cores since the machine started. */
function cpuTimes(): { readonly idle: number; readonly total: number } {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, total };
}
