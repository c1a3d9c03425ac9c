/** Charts of a report, drawn by Observable Plot and again whenever their width changes. */
import { useEffect, useRef } from 'preact/hooks';
import type { Chart, LineChart } from '../../../src/tools/report/report.js';
import { barPlot } from './bar-plot.js';
import { histogramPlot } from './histogram-plot.js';
import { COLOURS, linePlot } from './line-plot.js';

export function ChartView({ chart }: { readonly chart: Chart }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const parent = box.current!;
    const draw = () => parent.replaceChildren(withoutLabels(plotOf(chart, parent.clientWidth)));
    const resized = new ResizeObserver(draw);
    resized.observe(parent);
    return () => resized.disconnect();
  }, [chart]);
  return (
    <figure class={chart.kind}>
      <figcaption>
        <h2>{chart.title}</h2>
        {chart.kind === 'lines' && <Legend chart={chart} />}
        {chart.note !== undefined && <p>{chart.note}</p>}
      </figcaption>
      <div ref={box} role="img" aria-label={`${chart.title}; the values are in the tables below`} />
    </figure>
  );
}

/** Names of the lines; a single one needs none. */
function Legend({ chart: { lines } }: { readonly chart: LineChart }) {
  const names = [...new Set(lines.map(({ name }) => name))];
  if (names.length === 1 && !lines.some(({ isEarlier }) => isEarlier)) return null;
  return (
    <ul class="legend">
      {names.map((name, i) => (
        <li key={name}>
          <span class="line" style={{ borderColor: COLOURS[i % COLOURS.length] }} />
          {name}
        </li>
      ))}
      {lines.some(({ isEarlier }) => isEarlier) && (
        <li>
          <span class="line earlier" />
          earlier run
        </li>
      )}
    </ul>
  );
}

/** The chart is one image with one label; labels of parts have no place inside it. */
function withoutLabels(plot: Element): Element {
  for (const part of [plot, ...plot.querySelectorAll('[aria-label]')]) part.removeAttribute('aria-label');
  return plot;
}

function plotOf(chart: Chart, width: number): Element {
  switch (chart.kind) {
    case 'lines':
      return linePlot(chart, width);
    case 'histogram':
      return histogramPlot(chart, width);
    case 'bars':
      return barPlot(chart, width);
  }
}
