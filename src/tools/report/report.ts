/** A report as data: facts, charts and tables. `web/src/report` draws it; the benchmarks and the profiler make it. */

export interface Report {
  readonly title: string;
  /** Why rows are missing, where the work was stopped. */
  readonly partial?: string;
  readonly facts: readonly FactBox[];
  readonly charts: readonly Chart[];
  readonly tables: readonly Table[];
}

/** Names and values under a heading, such as the machine or the workload. */
export interface FactBox {
  readonly heading: string;
  readonly rows: readonly (readonly [name: string, value: string])[];
}

export type Chart = LineChart | HistogramChart | BarChart;

export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  /** Values that get a tick; chosen by the page when absent. */
  readonly ticks?: readonly number[];
}

export interface LineChart {
  readonly kind: 'lines';
  readonly title: string;
  readonly note?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
  /** A line of the service level across the chart. */
  readonly limit?: Limit;
}

export interface Limit {
  readonly value: number;
  readonly label: string;
}

export interface Line {
  readonly name: string;
  /** Drawn dashed, in the colour of the line of the same name: a run that this one is compared with. */
  readonly isEarlier: boolean;
  readonly points: readonly LinePoint[];
}

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  /** Name of the point under the pointer, such as its load. */
  readonly label: string;
}

export interface HistogramChart {
  readonly kind: 'histogram';
  readonly title: string;
  readonly note?: string;
  /** Label of the horizontal axis, which is logarithmic. */
  readonly label: string;
  readonly limit?: Limit;
  /** One panel each, above each other on the same axis. */
  readonly panels: readonly { readonly name: string; readonly bins: readonly Bin[] }[];
}

export interface Bin {
  readonly from: number;
  readonly to: number;
  /** Share of all values, 0 to 1. */
  readonly share: number;
  readonly count: number;
}

export interface BarChart {
  readonly kind: 'bars';
  readonly title: string;
  readonly note?: string;
  readonly label: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** The least that is possible, drawn inside the bar. */
  readonly least: number;
  /** Text under the pointer. */
  readonly text: string;
}

export interface Table {
  readonly caption: string;
  readonly columns: readonly string[];
  /** Null where there is no value. */
  readonly rows: readonly (readonly Cell[])[];
}

export type Cell = string | number | null;
