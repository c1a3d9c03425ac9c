/** Writes a report as one HTML file, which opens anywhere and asks no server for anything. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Report } from './report.js';

/** The page's program and style, built from web/src/report. */
const PAGE = new URL('../../../web/dist/report/', import.meta.url);

export function htmlReport(report: Report): string {
  const read = (name: string): string => readFileSync(fileURLToPath(new URL(name, PAGE)), 'utf8');
  // A '<' in a text must not end the script that the data lies in.
  const data = JSON.stringify(report).replaceAll('<', String.raw`\u003c`);
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escape(report.title)}</title>`,
    `<style>${read('report.css')}</style>`,
    '</head>',
    '<body>',
    '<noscript>This report draws its charts with JavaScript, which is off here.</noscript>',
    `<script type="application/json" id="report">${data}</script>`,
    `<script type="module">${read('report.js')}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
