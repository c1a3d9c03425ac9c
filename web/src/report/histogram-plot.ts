import * as Plot from '@observablehq/plot';
import type { Bin, HistogramChart } from '../../../src/tools/report/report.js';
import { numberText } from './number-text.js';

const PANEL_HEIGHT = 64;
const AXIS_HEIGHT = 56;

type PlottedBin = Bin & { readonly panel: string };

export function histogramPlot({ label, limit, panels }: HistogramChart, width: number): Element {
  const bins = panels.flatMap(({ name, bins: own }) =>
    own.map((bin): PlottedBin => ({ ...bin, panel: name })),
  );
  const text = ({ from, to, count, share }: PlottedBin) =>
    `${numberText(from)} to ${numberText(to)}\n${count} requests, ${numberText(share * 100)} %`;
  return Plot.plot({
    width,
    height: AXIS_HEIGHT + PANEL_HEIGHT * panels.length,
    marginLeft: 40,
    marginRight: 44,
    marginTop: 24,
    x: {
      label,
      type: 'log',
      grid: true,
      ticks: Math.max(2, Math.round(width / 120)),
      tickFormat: numberText,
    },
    y: { percent: true, label: '% of requests', ticks: 2 },
    fy: { label: null, domain: panels.map(({ name }) => name), padding: 0.15 },
    marks: [
      Plot.rectY(bins, {
        x1: 'from',
        x2: 'to',
        y: 'share',
        fy: 'panel',
        fill: 'var(--one)',
        insetLeft: 0.5,
        insetRight: 0.5,
      }),
      Plot.ruleY([0]),
      ...(limit === undefined
        ? []
        : [Plot.ruleX([limit.value], { stroke: 'var(--limit)', strokeDasharray: '2 3', strokeWidth: 1.5 })]),
      Plot.tip(
        bins,
        Plot.pointerX({
          x1: 'from',
          x2: 'to',
          y: 'share',
          fy: 'panel',
          title: text,
          fill: 'var(--ground)',
        }),
      ),
    ],
  });
}
