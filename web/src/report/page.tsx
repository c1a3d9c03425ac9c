/** A report: facts above, charts side by side where there is room, tables below. */
import type { FactBox, Report } from '../../../src/tools/report/report.js';
import { ChartView } from './chart.js';
import { TableView } from './table.js';

export function ReportPage({ report }: { readonly report: Report }) {
  const { title, partial, facts, charts, tables } = report;
  return (
    <main>
      <h1>{title}</h1>
      {partial !== undefined && (
        <p class="partial" role="status">
          {partial}
        </p>
      )}
      <div class="facts">
        {facts.map((box) => (
          <Facts key={box.heading} box={box} />
        ))}
      </div>
      <div class="charts">
        {charts.map((chart) => (
          <ChartView key={chart.title} chart={chart} />
        ))}
      </div>
      {tables.map((table) => (
        <TableView key={table.caption} table={table} />
      ))}
    </main>
  );
}

function Facts({ box: { heading, rows } }: { readonly box: FactBox }) {
  return (
    <section>
      <h2>{heading}</h2>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
