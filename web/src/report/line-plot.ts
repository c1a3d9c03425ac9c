import * as Plot from '@observablehq/plot';
import type { LineChart, LinePoint } from '../../../src/tools/report/report.js';
import { numberText } from './number-text.js';

/** Colours of lines, seen on white and on black. */
export const COLOURS = ['var(--one)', 'var(--two)', 'var(--three)', 'var(--four)', 'var(--five)'];

const HEIGHT = 260;

type PlottedPoint = LinePoint & { readonly name: string; readonly isEarlier: boolean };

export function linePlot({ x, y, lines, limit }: LineChart, width: number): Element {
  const names = [...new Set(lines.map(({ name }) => name))];
  const points = lines.flatMap(({ name, isEarlier, points: own }) =>
    own.map((point): PlottedPoint => ({ ...point, name, isEarlier })),
  );
  const inLines = lines.flatMap(({ name, isEarlier, points: own }) =>
    own.map((point) => ({ ...point, name, isEarlier, line: `${name} ${isEarlier}` })),
  );
  return Plot.plot({
    width,
    height: HEIGHT,
    marginLeft: 56,
    marginRight: 20,
    x: {
      label: x.label,
      type: x.scale,
      nice: x.ticks === undefined,
      inset: 8,
      tickFormat: numberText,
      ...(x.ticks === undefined ? { ticks: Math.max(2, Math.round(width / 90)) } : { ticks: [...x.ticks] }),
    },
    y: {
      label: y.label,
      type: y.scale,
      nice: true,
      grid: true,
      tickFormat: numberText,
      ...(y.scale === 'linear' ? { zero: true } : { ticks: 4 }),
    },
    color: { type: 'ordinal', domain: names, range: names.map((_, i) => COLOURS[i % COLOURS.length]!) },
    marks: [
      ...(limit === undefined ? [] : limitMarks(limit)),
      Plot.line(
        inLines.filter(({ isEarlier }) => isEarlier),
        {
          x: 'x',
          y: 'y',
          z: 'line',
          stroke: 'name',
          strokeDasharray: '5 4',
        },
      ),
      Plot.line(
        inLines.filter(({ isEarlier }) => !isEarlier),
        {
          x: 'x',
          y: 'y',
          z: 'line',
          stroke: 'name',
          strokeWidth: 2,
        },
      ),
      Plot.dot(points, {
        x: 'x',
        y: 'y',
        fill: (point: PlottedPoint) => (point.isEarlier ? 'none' : point.name),
        stroke: 'name',
        r: 3,
      }),
      Plot.tip(
        points,
        Plot.pointer({
          x: 'x',
          y: 'y',
          stroke: 'name',
          title: (point: PlottedPoint) =>
            `${point.name}${point.isEarlier ? ', earlier run' : ''}\n${point.label}\n${x.label}: ${numberText(point.x)}\n${y.label}: ${numberText(point.y)}`,
          fill: 'var(--ground)',
        }),
      ),
    ],
  });
}

function limitMarks({ value, label }: NonNullable<LineChart['limit']>): Plot.Markish[] {
  return [
    Plot.ruleY([value], { stroke: 'var(--limit)', strokeDasharray: '2 3', strokeWidth: 1.5 }),
    Plot.text([value], {
      y: (at: number) => at,
      frameAnchor: 'right',
      dy: -7,
      textAnchor: 'end',
      text: () => label,
      fill: 'var(--limit)',
    }),
  ];
}
