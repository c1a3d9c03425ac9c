/** A count and the sum of its durations. */
export class DurationSum {
  count = 0;
  ns = 0;

  addMs(ms: number): void {
    this.count++;
    this.ns += Math.max(0, Math.round(ms * 1e6));
  }
}
