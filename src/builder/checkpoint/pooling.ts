/** Pooling of a checkpoint as sentence-transformers publishes it: modules.json, and 1_Pooling/config.json or another folder. */
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import type { Pooling } from '../../core/embedding.js';
import { AloftError } from '../../core/errors.js';
import { readingFile } from '../../core/file-fault.js';
import { JsonFile } from './json-file.js';
import { isThere } from './paths.js';

export interface PublishedPooling {
  readonly pooling: Pooling;
  readonly isNormalised: boolean;
}

/** Way of models that publish none: that of decoders, in which only the last token sees all of the text. */
export const DEFAULT_POOLING: PublishedPooling = { pooling: 'last', isNormalised: true };

const FIELDS: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_lasttoken: 'last',
};

/** @throws {AloftError} UNSUPPORTED, CHECKPOINT_CORRUPT, FILE_UNREADABLE */
export function readPooling(directory: string): PublishedPooling {
  const modulesPath = join(directory, 'modules.json');
  const modules = isThere(modulesPath) ? readModules(modulesPath) : [];
  const typeOf = ({ type = '' }: Module): string => type.split('.').at(-1)!;
  const unknown = modules.find((module) => !['Transformer', 'Pooling', 'Normalize'].includes(typeOf(module)));
  if (unknown !== undefined)
    throw new AloftError(
      'UNSUPPORTED',
      `${modulesPath} has a module of the type ${unknown.type}, which is not supported; name the pooling with --pooling, and embeddings are made without it.`,
    );
  const folder = modules.find((module) => typeOf(module) === 'Pooling')?.path ?? '1_Pooling';
  const path = join(directory, folder, 'config.json');
  const isNormalised = modules.length === 0 || modules.some((module) => typeOf(module) === 'Normalize');
  return isThere(path)
    ? { pooling: poolingOf(JsonFile.read(path)), isNormalised }
    : { ...DEFAULT_POOLING, isNormalised };
}

interface Module {
  readonly type?: string;
  readonly path?: string;
}

function readModules(path: string): readonly Module[] {
  const value: unknown = parse(path);
  const isModule = (item: unknown): item is Module => {
    const { type, path: folder } = Object(item) as Record<string, unknown>;
    return typeof type === 'string' && typeof folder === 'string' && !folder.split('/').includes('..');
  };
  if (Array.isArray(value) && value.every(isModule)) return value;
  throw new AloftError(
    'CHECKPOINT_CORRUPT',
    `${path} is no list of modules with types and paths. Download it again.`,
  );
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readingFile(path, () => readFileSync(path, 'utf8')));
  } catch (fault) {
    if (fault instanceof AloftError) throw fault;
    throw new AloftError('CHECKPOINT_CORRUPT', `${path} is not valid JSON. Download it again.`, {
      cause: fault,
    });
  }
}

function poolingOf(file: JsonFile): Pooling {
  const on = Object.keys(file.fields).filter(
    (name) => name.startsWith('pooling_mode_') && file.flag(name, false),
  );
  const found = on.length === 1 ? FIELDS[on[0]!] : undefined;
  if (found !== undefined) return found;
  throw new AloftError(
    'UNSUPPORTED',
    `${file.path} asks for the pooling ${on.join(' and ') || 'none'}; supported is one of ${Object.keys(FIELDS).join(', ')}. Choose one with --pooling.`,
  );
}
