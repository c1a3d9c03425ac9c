/** A number with three figures, or all of those before the point, in groups of three. */
export function numberText(value: number): string {
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return rounded.toLocaleString('en', { maximumFractionDigits: 12 });
}
