/** What an operator must move and compute at least. Benchmarks divide it by time and compare the rate with the machine's limits. */
export interface OpCost {
  readonly bytes: number;
  readonly flops: number;
}
