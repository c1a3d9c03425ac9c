/** `aloft inspect`: what a checkpoint, a GGUF file or an engine is. */
import type { Command } from 'commander';
import { readManifest } from '../../engine/manifest.js';
import { manifestRows } from '../engine/describe.js';
import { type Inspection, inspect, tokenizerFacts } from '../inspect/inspection.js';
import { inspectionText, tokenizerRows } from '../inspect/inspection-text.js';
import { isEngine } from './engine-source.js';
import { formatTable, jsonText, type Terminal } from './terminal.js';

export function registerInspect(command: Command, terminal: Terminal): void {
  command
    .argument('<path>', 'a checkpoint, a GGUF file or an engine')
    .option('--json', 'print all facts as JSON')
    .action((path: string, { json = false }: { json?: boolean }) =>
      isEngine(path) ? inspectEngine(path, json, terminal) : inspectModel(path, json, terminal),
    );
}

async function inspectModel(path: string, isJson: boolean, terminal: Terminal): Promise<void> {
  const inspection: Inspection = await inspect(path);
  terminal.out(isJson ? jsonText(inspection) : inspectionText(inspection));
}

async function inspectEngine(path: string, isJson: boolean, terminal: Terminal): Promise<void> {
  const manifest = readManifest(path);
  const tokenizer = await tokenizerFacts(path);
  const rows = [...manifestRows(manifest), ...tokenizerRows(tokenizer)];
  const text = `${path}\n${formatTable(rows)}\n`;
  terminal.out(isJson ? jsonText({ path, kind: 'engine', manifest, tokenizer }) : text);
}
