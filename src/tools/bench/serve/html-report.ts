/** The results of a sweep as one HTML file with charts, without scripts or requests. */
import type { InflightReport } from '../latency-report.js';
import type { MachineRecord } from '../machine.js';

export interface SweepPoint {
  /** Requests at a time, or a second. */
  readonly load: number;
  readonly report: InflightReport;
  readonly goodput: number;
  readonly errorCount: number;
}

export interface Sweep {
  readonly title: string;
  readonly loadName: string;
  readonly machine: MachineRecord;
  readonly points: readonly SweepPoint[];
}

type Series = readonly { readonly name: string; readonly value: (point: SweepPoint) => number }[];

interface ChartSpec {
  readonly title: string;
  readonly series: Series;
}

const CHARTS: readonly ChartSpec[] = [
  {
    title: 'Output tokens/s',
    series: [{ name: 'all requests', value: (point) => point.report.system_output_throughput_tok_s }],
  },
  {
    title: 'Time to first token, ms',
    series: [
      { name: 'p50', value: (point) => point.report.ttft_percentiles.p50 },
      { name: 'p90', value: (point) => point.report.ttft_percentiles.p90 },
      { name: 'p99', value: (point) => point.report.ttft_percentiles.p99 },
    ],
  },
  {
    title: 'Between tokens, ms',
    series: [
      { name: 'p50', value: (point) => point.report.itl_percentiles.p50 },
      { name: 'p90', value: (point) => point.report.itl_percentiles.p90 },
      { name: 'p99', value: (point) => point.report.itl_percentiles.p99 },
    ],
  },
  {
    title: 'Requests/s',
    series: [
      { name: 'all', value: (point) => point.report.request_throughput_req_s },
      { name: 'within the service level', value: (point) => point.goodput },
    ],
  },
];

/** Seen on white and on black. */
const COLOURS = ['#2b83e0', '#d2691e', '#9a5bd6'];
const WIDTH = 460;
const HEIGHT = 240;
const MARGIN = { left: 60, right: 12, top: 12, bottom: 40 };
/** Lines of the grid above the axis, about. */
const GRID_LINES = 4;

export function htmlReport({ title, loadName, machine, points }: Sweep): string {
  const columns = [
    'output tok/s',
    'req/s',
    'goodput req/s',
    'TTFT p50',
    'TTFT p99',
    'ITL p50',
    'ITL p99',
    'E2E p50',
    'E2E p99',
    'errors',
  ];
  const rows = points.map(({ load, report, goodput, errorCount }) => [
    load,
    report.system_output_throughput_tok_s,
    report.request_throughput_req_s,
    goodput,
    report.ttft_percentiles.p50,
    report.ttft_percentiles.p99,
    report.itl_percentiles.p50,
    report.itl_percentiles.p99,
    report.request_latency_percentiles_ms.p50,
    report.request_latency_percentiles_ms.p99,
    errorCount,
  ]);
  const cells = (list: readonly (string | number)[], tag: string) =>
    list.map((cell) => `<${tag}>${typeof cell === 'number' ? round(cell) : escape(cell)}</${tag}>`).join('');
  const charts = CHARTS.map(
    (chart) =>
      `<figure><figcaption>${chart.title}${legend(chart.series)}</figcaption>${lineChart(chart, points, loadName)}</figure>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>
:root{color-scheme:light dark;--ink:#1d2327;--soft:#5b666d;--line:#d9dde0}
@media (prefers-color-scheme:dark){:root{--ink:#e8ecef;--soft:#a3adb5;--line:#384148}}
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:var(--ink)}
h1{overflow-wrap:anywhere}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.5rem}
figure{margin:0}figcaption{font-weight:600}figcaption span{font-weight:400;margin-left:.8rem}svg{width:100%;height:auto}
.table{overflow-x:auto;margin-top:1.5rem}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--line)}th{white-space:nowrap}
line{stroke:var(--line)}text{font-size:11px;fill:var(--soft)}code{font-size:.85em;overflow-wrap:anywhere}
</style></head><body><h1>${escape(title)}</h1>
<p>${escape(machine.cpu)}, ${machine.coreCount} cores, Node ${escape(machine.node)}, commit ${escape(machine.commit)}, ${escape(machine.date)}<br><code>${escape(machine.command.join(' '))}</code></p>
<div class="charts">${charts.join('')}</div>
<p>Times in ms. Goodput counts the requests within the service level; without one it counts all.</p>
<div class="table"><table><thead><tr>${cells([loadName, ...columns], 'th')}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('')}</tbody></table></div>
</body></html>
`;
}

/** Names of the lines in their colours; a single line needs none. */
function legend(series: Series): string {
  if (series.length === 1) return '';
  return series
    .map(({ name }, i) => `<span style="color:${COLOURS[i % COLOURS.length]}">${escape(name)}</span>`)
    .join('');
}

/** A step of 1, 2 or 5 times a power of ten, so that the grid has round numbers. */
function roundStep(top: number): number {
  const rough = top / GRID_LINES;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
}

function lineChart({ title, series }: ChartSpec, points: readonly SweepPoint[], loadName: string): string {
  const values = series.flatMap(({ value }) => points.map(value)).filter(Number.isFinite);
  const step = roundStep(Math.max(1e-9, ...values));
  const lineCount = Math.ceil(Math.max(...values, step) / step);
  const top = step * lineCount;
  // Loads usually double from point to point, so equal steps read best.
  const x = (index: number) =>
    MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * (index + 0.5)) / points.length;
  const y = (value: number) => HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * value) / top;
  const grid = Array.from({ length: lineCount + 1 }, (_, i) => {
    const at = y(step * i);
    return `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}"/><text x="${MARGIN.left - 6}" y="${at + 4}" text-anchor="end">${round(step * i)}</text>`;
  });
  const labels = points.map(
    ({ load }, i) => `<text x="${x(i)}" y="${HEIGHT - 22}" text-anchor="middle">${round(load)}</text>`,
  );
  const lines = series.map(({ value }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const at = points.map((point, index) => [x(index).toFixed(1), y(value(point)).toFixed(1)] as const);
    const dots = at.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`).join('');
    return `<polyline points="${at.map((pair) => pair.join(',')).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}`;
  });
  const axis = `<text x="${WIDTH / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escape(loadName)}</text>`;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)} by ${escape(loadName)}">${grid.join('')}${labels.join('')}${axis}${lines.join('')}</svg>`;
}

function round(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
