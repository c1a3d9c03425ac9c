/** Refusals of a hub as coded errors that say what to do. */
import { AloftError } from '../core/errors.js';
import { printable } from '../core/printable.js';
import type { HubSettings } from './hub-settings.js';
import { PassingFault } from './passing-fault.js';

interface RefusedRequest {
  readonly settings: HubSettings;
  readonly repository: string;
  readonly revision: string;
  /** Path of the file that was asked for; absent for a listing. */
  readonly path?: string;
}

/** @param response one whose status is no success */
export async function refusal(response: Response, request: RefusedRequest): Promise<AloftError> {
  const { status, headers } = response;
  const { settings, repository, revision, path } = request;
  const { endpoint, token } = settings;
  const code = headers.get('x-error-code');
  const words = headers.get('x-error-message') ?? '';
  await response.body?.cancel();
  if (status === 429 || status === 408 || status >= 500)
    return new PassingFault(
      `The hub (${endpoint}) is busy (status ${status}); wait a while and try again${status === 429 && token === undefined ? ', or set HF_TOKEN, which raises its limits' : ''}.`,
      { delayMs: retryAfterMs(headers.get('retry-after')) },
    );
  if (code === 'GatedRepo') {
    const access =
      token === undefined ? 'set HF_TOKEN to a token of that account' : 'use a token of that account';
    return denied(`${repository} is gated: accept its terms at ${endpoint}/${repository}, then ${access}.`);
  }
  if (status === 401 && token !== undefined && code !== 'RepoNotFound')
    return denied(
      `The hub (${endpoint}) does not accept the token; make one at ${endpoint}/settings/tokens and put it into HF_TOKEN.`,
    );
  if (code === 'RevisionNotFound')
    return missing(`${repository} has no revision '${revision}'; name one of its branches, tags or commits.`);
  if (status === 404 && path !== undefined)
    return missing(
      `${repository} has no file ${path} at ${revision}; pull it again, for it may have changed.`,
    );
  if (status === 401 || status === 404) {
    const access = token === undefined ? 'set HF_TOKEN if it is private' : 'whether the token may read it';
    return missing(`The hub (${endpoint}) has no model ${repository}; check the name, and ${access}.`);
  }
  const said = words === '' ? '' : `: ${printable(words)}`;
  if (status === 403)
    return denied(`The hub (${endpoint}) refuses ${repository}${said}; check what the token may read.`);
  return new AloftError(
    'HUB_UNREACHABLE',
    `The hub (${endpoint}) answers with status ${status}${said}; check the name and HF_ENDPOINT.`,
  );
}

const denied = (message: string): AloftError => new AloftError('HUB_DENIED', message);
const missing = (message: string): AloftError => new AloftError('CHECKPOINT_NOT_FOUND', message);

/** Value of a Retry-After header: seconds, or a date. */
function retryAfterMs(text: string | null): number | undefined {
  if (text === null) return undefined;
  const seconds = Number(text);
  const delayMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - Date.now();
  return delayMs >= 0 ? delayMs : undefined;
}
