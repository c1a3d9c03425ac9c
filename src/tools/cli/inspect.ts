/** `aloft inspect`: what a checkpoint, a GGUF file or an engine is. */
import type { Command } from 'commander';
import { readManifest } from '../../engine/manifest.js';
import { manifestRows } from '../engine/describe.js';
import { type Inspection, inspect, inspectTexts, tokenizerFacts } from '../inspect/inspection.js';
import { inspectionText, tokenizerRows } from '../inspect/inspection-text.js';
import { isEngine } from './engine-source.js';
import { localTexts } from './pull.js';
import { formatTable, jsonText, type Terminal } from './terminal.js';

export function registerInspect(command: Command, terminal: Terminal): void {
  command
    .argument(
      '<model>',
      'a checkpoint, a GGUF file or an engine, or ORG/NAME on Hugging Face, of which no weights are downloaded',
    )
    .option('--json', 'print all facts as JSON')
    .action((source: string, { json = false }: { json?: boolean }) =>
      isEngine(source) ? inspectEngine(source, json, terminal) : inspectModel(source, json, terminal),
    );
}

async function inspectModel(source: string, isJson: boolean, terminal: Terminal): Promise<void> {
  const { path, hasWeights } = await localTexts(source, terminal);
  const inspection: Inspection = await (hasWeights ? inspect(path) : inspectTexts(path));
  terminal.out(isJson ? jsonText(inspection) : inspectionText(inspection, source));
}

async function inspectEngine(path: string, isJson: boolean, terminal: Terminal): Promise<void> {
  const manifest = readManifest(path);
  const tokenizer = await tokenizerFacts(path);
  const rows = [...manifestRows(manifest), ...tokenizerRows(tokenizer)];
  const text = `${path}\n${formatTable(rows)}\n`;
  terminal.out(isJson ? jsonText({ path, kind: 'engine', manifest, tokenizer }) : text);
}
