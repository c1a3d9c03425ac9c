/** Settings of the hub from the environment, by the variables of Hugging Face's Python client. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AloftError } from '../../core/errors.js';
import { isSystemFault, fileFault } from '../../core/file-fault.js';
import type { HubSettings } from '../../hub/hub-settings.js';

type Environment = Readonly<Record<string, string | undefined>>;

const HUB = 'https://huggingface.co';
const TIMEOUT_SECONDS = 30;
const RETRY_DELAY_MS = 1000;

/** @throws {AloftError} CONFIG_INVALID, FILE_UNREADABLE */
export function hubSettings(environment: Environment): HubSettings {
  const cache = environment['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const home = environment['HF_HOME'] || join(cache, 'huggingface');
  return {
    endpoint: endpointOf(environment['HF_ENDPOINT'] || HUB),
    token: tokenOf(environment, home),
    cacheDirectory: environment['HF_HUB_CACHE'] || environment['HUGGINGFACE_HUB_CACHE'] || join(home, 'hub'),
    isOffline: isOn(environment['HF_HUB_OFFLINE']) || isOn(environment['TRANSFORMERS_OFFLINE']),
    timeoutMs: secondsOf(environment['HF_HUB_DOWNLOAD_TIMEOUT']) * 1000,
    retryDelayMs: RETRY_DELAY_MS,
  };
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return text.replace(/\/+$/, '');
  throw new AloftError(
    'CONFIG_INVALID',
    `HF_ENDPOINT is '${text}'; give an address that begins with https:// or http://, or unset it.`,
  );
}

function tokenOf(environment: Environment, home: string): string | undefined {
  const given = environment['HF_TOKEN'] || environment['HUGGING_FACE_HUB_TOKEN'];
  const token = (given ?? readToken(environment['HF_TOKEN_PATH'] || join(home, 'token'))).trim();
  // Others cannot stand in a header.
  if (/^[\x21-\x7e]*$/.test(token)) return token === '' ? undefined : token;
  throw new AloftError(
    'CONFIG_INVALID',
    `${given === undefined ? 'The token in the token file' : 'HF_TOKEN'} has spaces or characters other than ASCII; copy the token again.`,
  );
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (fault) {
    if (isSystemFault(fault) && fault.code === 'ENOENT') return '';
    throw fileFault(path, fault);
  }
}

function isOn(text: string | undefined): boolean {
  return /^(?:1|on|yes|true)$/i.test(text ?? '');
}

function secondsOf(text: string | undefined): number {
  if (text === undefined || text === '') return TIMEOUT_SECONDS;
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw new AloftError(
    'CONFIG_INVALID',
    `HF_HUB_DOWNLOAD_TIMEOUT is '${text}'; give a number of seconds above 0, or unset it.`,
  );
}
