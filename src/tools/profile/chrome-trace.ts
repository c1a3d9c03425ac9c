/**
 * Profiled steps as a file for chrome://tracing and ui.perfetto.dev, in the Trace Event Format (complete events, times in us).
 * Pure.
 */
import { type CostModel, opCost } from '../../run/executor/profile/op-cost.js';
import { opName } from './op-summary.js';
import type { ProfiledStep } from './profile-steps.js';

interface TraceEvent {
  readonly name: string;
  readonly cat: string;
  readonly ph: 'X' | 'M';
  readonly ts: number;
  readonly dur?: number;
  readonly pid: 0;
  /** Track: steps above, calls below. */
  readonly tid: 0 | 1;
  readonly args: Readonly<Record<string, string | number>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: 'ms';
  readonly traceEvents: readonly TraceEvent[];
}

export function chromeTrace(steps: readonly ProfiledStep[], model: CostModel): ChromeTrace {
  const originMs = steps[0]?.submittedMs ?? 0;
  const events = steps.flatMap((profiled) => stepEvents(profiled, model, profiled.submittedMs - originMs));
  return { displayTimeUnit: 'ms', traceEvents: [track(0, 'steps'), track(1, 'calls'), ...events] };
}

function track(tid: TraceEvent['tid'], name: string): TraceEvent {
  return { name: 'thread_name', cat: '', ph: 'M', ts: 0, pid: 0, tid, args: { name } };
}

function stepEvents(profiled: ProfiledStep, model: CostModel, startMs: number): TraceEvent[] {
  const { phase, step, deviceMs, calls } = profiled;
  const complete = (startsMs: number, ms: number) =>
    ({ ph: 'X', ts: startsMs * 1000, dur: ms * 1000, pid: 0 }) as const;
  const { stepId, tokenCount, rowCount } = step;
  return [
    {
      name: `${phase} ${stepId}`,
      cat: 'step',
      tid: 0,
      ...complete(startMs, deviceMs),
      args: { tokens: tokenCount, rows: rowCount },
    },
    ...calls.map((call): TraceEvent => {
      const { bytes, flops } = opCost(model, call.opIndex, step);
      return {
        name: call.kernel,
        cat: 'call',
        tid: 1,
        ...complete(startMs + call.startMs, call.ms),
        args: { op: opName(model.plan, call.opIndex), index: call.opIndex, opBytes: bytes, opFlops: flops },
      };
    }),
  ];
}
