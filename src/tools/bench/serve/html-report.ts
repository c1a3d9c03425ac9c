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

const CHARTS: readonly { readonly title: string; readonly series: Series }[] = [
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

const COLOURS = ['#0b6bcb', '#c2570c', '#7a3db8'];
const WIDTH = 460;
const HEIGHT = 240;
const MARGIN = { left: 60, right: 12, top: 12, bottom: 40 };

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
      `<figure><figcaption>${chart.title}</figcaption>${lineChart(chart.series, points, loadName)}</figure>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title><style>
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#1d2327}
.charts{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}figcaption{font-weight:600}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #d9dde0}
text{font-size:11px;fill:#5b666d}code{font-size:.85em;overflow-wrap:anywhere}
</style></head><body><h1>${escape(title)}</h1>
<p>${escape(machine.cpu)}, ${machine.coreCount} cores, Node ${escape(machine.node)}, commit ${escape(machine.commit)}, ${escape(machine.date)}<br><code>${escape(machine.command.join(' '))}</code></p>
<div class="charts">${charts.join('')}</div>
<table><thead><tr>${cells([loadName, ...columns], 'th')}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('')}</tbody></table>
</body></html>
`;
}

function lineChart(series: Series, points: readonly SweepPoint[], loadName: string): string {
  const loads = points.map((point) => point.load);
  const values = series.flatMap(({ value }) => points.map(value)).filter(Number.isFinite);
  const top = Math.max(1e-9, ...values) * 1.05;
  // Loads usually double from point to point, so equal steps read best.
  const x = (index: number) =>
    MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * (index + 0.5)) / points.length;
  const y = (value: number) => HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * value) / top;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(top * share);
    return `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}" stroke="#d9dde0"/><text x="${MARGIN.left - 6}" y="${at + 4}" text-anchor="end">${round(top * share)}</text>`;
  });
  const labels = loads.map(
    (load, i) => `<text x="${x(i)}" y="${HEIGHT - 22}" text-anchor="middle">${round(load)}</text>`,
  );
  const lines = series.map(({ name, value }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points
      .map((point, index) => `${x(index).toFixed(1)},${y(value(point)).toFixed(1)}`)
      .join(' ');
    const dots = points
      .map(
        (point, index) =>
          `<circle cx="${x(index).toFixed(1)}" cy="${y(value(point)).toFixed(1)}" r="3" fill="${colour}"/>`,
      )
      .join('');
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}<text x="${MARGIN.left + 6 + i * 90}" y="${MARGIN.top + 8}" style="fill:${colour}">${escape(name)}</text>`;
  });
  return `<svg width="${WIDTH}" height="${HEIGHT}" role="img">${grid.join('')}${labels.join('')}<text x="${WIDTH / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escape(loadName)}</text>${lines.join('')}</svg>`;
}

function round(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(3);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
