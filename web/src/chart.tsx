/** Tokens per second and running requests over the last minute. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { samples } from './state.js';
import { theme } from './theme.js';

const HEIGHT = 140;

export function Chart() {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const parent = box.current;
    if (parent === null) return undefined;
    const style = getComputedStyle(parent);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--soft'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line') },
    };
    const plot = new uPlot(
      {
        width: parent.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false },
          tokens: { range: (_, __, max) => [0, Math.max(10, max * 1.1)] },
          rows: { range: (_, __, max) => [0, Math.max(4, max + 1)] },
        },
        axes: [
          { show: false },
          { ...axis, scale: 'tokens', size: 56 },
          // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- a const enum of declarations does not exist in the bundle
          { ...axis, scale: 'rows', side: 1, size: 30, grid: { show: false } },
        ],
        series: [
          {},
          {
            label: 'tokens/s',
            scale: 'tokens',
            stroke: colour('--accent'),
            width: 2,
            points: { show: false },
          },
          {
            label: 'running',
            scale: 'rows',
            stroke: colour('--second'),
            width: 1.5,
            points: { show: false },
          },
        ],
      },
      [[], [], []],
      parent,
    );
    chart.current = plot;
    const resize = new ResizeObserver(() => plot.setSize({ width: parent.clientWidth, height: HEIGHT }));
    resize.observe(parent);
    return () => {
      resize.disconnect();
      plot.destroy();
    };
  }, [theme.value]);
  const data = samples.value;
  useEffect(() => {
    chart.current?.setData([
      data.map((sample) => sample.timeSeconds),
      data.map((sample) => sample.tokensPerSecond),
      data.map((sample) => sample.runningCount),
    ]);
  }, [data, theme.value]);
  return (
    <figure class="chart">
      <div ref={box} role="img" aria-label="Tokens per second and running requests over the last minute" />
      <figcaption>
        <span class="key accent">tokens/s</span> <span class="key second">running requests</span>
      </figcaption>
    </figure>
  );
}
