/** One config.pbtxt, read, with the lines of its parts for messages. */
import { create } from '@bufbuild/protobuf';
import { findPlaceholders, parseConfigText } from '../../protocol/grpc/config-text.js';
import { ModelConfigSchema, type ModelConfig } from '../../protocol/gen/model_config_pb.js';
import type { Finding } from './finding.js';
import { placeholderFindings } from './placeholder-findings.js';

export interface ConfigFile {
  readonly path: string;
  readonly text: string;
  readonly config: ModelConfig;
}

export interface ConfigRead {
  readonly file: ConfigFile | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Parses a configuration. Placeholders that a template leaves in quoted strings are warnings (the value counts as
 * unspecified, as upstream); elsewhere the file cannot be read, and the message says what to fill in.
 */
export function readConfigFile(path: string, text: string): ConfigRead {
  const parse = parseConfigText(text);
  const placeholders = findPlaceholders(text);
  if (parse.type === 'config') {
    const findings = placeholderFindings(path, placeholders);
    return { file: { path, text, config: parse.config }, findings };
  }
  const { line, message } = parse.fault;
  if (placeholders.some((placeholder) => placeholder.line === line))
    return { file: undefined, findings: placeholderFindings(path, placeholders) };
  return {
    file: undefined,
    findings: [
      { severity: 'error', file: path, line, message: /[.?]$/.test(message) ? message : `${message}.` },
    ],
  };
}

/** An empty configuration for a model directory without config.pbtxt. */
export function emptyConfig(name: string): ModelConfig {
  return create(ModelConfigSchema, { name });
}

/** The line on which the value of a parameter stands. */
export function lineOfParameter(file: ConfigFile, key: string): number | undefined {
  return lineOf(file, new RegExp(`key:\\s*["']${escape(key)}["']`), /string_value/);
}

/** The line on which a tensor is named. */
export function lineOfTensor(file: ConfigFile, name: string): number | undefined {
  return lineOf(file, new RegExp(`name:\\s*["']${escape(name)}["']`));
}

/** The first line that matches; with `then`, the first at or after it that matches that. */
export function lineOf(file: ConfigFile, pattern: RegExp, then?: RegExp): number | undefined {
  const lines = file.text.split('\n');
  const first = lines.findIndex((line) => pattern.test(line));
  if (first < 0) return undefined;
  const second = then === undefined ? first : lines.findIndex((line, i) => i >= first && then.test(line));
  return (second < 0 ? first : second) + 1;
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
