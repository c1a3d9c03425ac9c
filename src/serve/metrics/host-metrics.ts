/** Triton's metrics of the machine. */
import { cpus, freemem, totalmem } from 'node:os';
import { Gauge, type Registry } from 'prom-client';

export function registerHostMetrics(registry: Registry): void {
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
