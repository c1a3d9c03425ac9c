/** A table that is sorted by the column whose heading is pressed. */
import { useState } from 'preact/hooks';
import type { Cell, Table } from '../../../src/tools/report/report.js';
import { numberText } from './number-text.js';

interface Order {
  readonly column: number;
  readonly direction: 'ascending' | 'descending';
}

export function TableView({ table: { caption, columns, rows } }: { readonly table: Table }) {
  const [order, setOrder] = useState<Order | undefined>(undefined);
  const shown = order === undefined ? rows : rows.toSorted((a, b) => compare(a, b, order));
  const press = (column: number) =>
    setOrder({
      column,
      direction: order?.column === column && order.direction === 'ascending' ? 'descending' : 'ascending',
    });
  return (
    <section class="table" role="region" tabIndex={0} aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map((name, column) => {
              const sorted = order?.column === column ? order.direction : undefined;
              return (
                <th key={name} scope="col" aria-sort={sorted ?? 'none'}>
                  <button type="button" onClick={() => press(column)}>
                    {name}
                    <span aria-hidden="true">
                      {sorted === undefined ? '' : sorted === 'ascending' ? ' ▲' : ' ▼'}
                    </span>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {shown.map((row, i) => (
            <tr key={i}>
              {row.map((cell, column) => (
                <td key={column} class={typeof cell === 'string' ? 'word' : ''}>
                  {cellText(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function cellText(cell: Cell): string {
  if (cell === null) return '–';
  return typeof cell === 'number' ? numberText(cell) : cell;
}

/** Numbers by size, texts by alphabet, what is missing last. */
function compare(left: readonly Cell[], right: readonly Cell[], { column, direction }: Order): number {
  const [a, b] = [left[column] ?? null, right[column] ?? null];
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order =
    typeof a === 'number' && typeof b === 'number'
      ? a - b
      : String(a).localeCompare(String(b), 'en', { numeric: true });
  return direction === 'ascending' ? order : -order;
}
