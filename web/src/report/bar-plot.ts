import * as Plot from '@observablehq/plot';
import type { Bar, BarChart } from '../../../src/tools/report/report.js';
import { numberText } from './number-text.js';

const BAR_HEIGHT = 34;
const AXIS_HEIGHT = 48;

/** Bars with their names above them, so that long names have the whole width. */
export function barPlot({ label, bars }: BarChart, width: number): Element {
  const names = bars.map(({ name }) => name);
  return Plot.plot({
    width,
    height: AXIS_HEIGHT + BAR_HEIGHT * bars.length,
    marginLeft: 4,
    marginRight: 20,
    x: { label, grid: true, ticks: Math.max(2, Math.round(width / 90)), tickFormat: numberText },
    y: { axis: null, domain: names, paddingInner: 0.55, paddingOuter: 0.4 },
    marks: [
      Plot.barX(bars, { x: 'value', y: 'name', fill: 'var(--pale)' }),
      Plot.barX(bars, { x: 'least', y: 'name', fill: 'var(--one)' }),
      Plot.text(bars, {
        x: 0,
        y: 'name',
        dy: -15,
        textAnchor: 'start',
        text: ({ name, value }: Bar) => `${name}: ${numberText(value)}`,
      }),
      Plot.tip(bars, Plot.pointerY({ x: 'value', y: 'name', title: 'text', fill: 'var(--ground)' })),
    ],
  });
}
