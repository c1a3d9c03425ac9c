/** Groups of Triton's interface that need a header, as `--http-restricted-api` and `--grpc-restricted-protocol` name them. */
import { AloftError, suggestion } from '../../core/errors.js';

const LISTED_APIS = [
  'health',
  'metadata',
  'inference',
  'shared-memory',
  'model-config',
  'model-repository',
  'statistics',
  'trace',
  'logging',
] as const;

export type ListedApi = (typeof LISTED_APIS)[number];

/** Groups that answer only to requests with a header of this value. */
export interface Restriction {
  readonly apis: readonly ListedApi[];
  /** In lower case, as requests have it on the wire. */
  readonly header: string;
  readonly value: string;
}

export interface Restrictions {
  readonly http: readonly Restriction[];
  readonly grpc: readonly Restriction[];
}

/** Flag of each protocol, and the beginning that Triton puts before the names of its headers. */
const FLAGS = {
  http: { flag: '--http-restricted-api', prefix: '' },
  grpc: { flag: '--grpc-restricted-protocol', prefix: 'triton-grpc-protocol-' },
} as const;

/** A name of a header that metadata of gRPC may have, too; there `-bin` means another encoding. */
const HEADER_NAME = /^(?!.*-bin$)[a-z0-9_.-]+$/;

/**
 * Restrictions of one protocol, from the values of its flag: `API,API,...:HEADER=VALUE`.
 * @throws {AloftError} USAGE on another form, an unknown group, or one that two values restrict
 */
export function readRestrictions(protocol: keyof Restrictions, texts: readonly string[]): Restriction[] {
  const { flag, prefix } = FLAGS[protocol];
  const restrictions = texts.map((text) => readRestriction(flag, prefix, text));
  const seen = new Set<string>();
  for (const api of restrictions.flatMap(({ apis }) => apis)) {
    if (seen.has(api)) throw new AloftError('USAGE', `${flag} names '${api}' twice; name it once.`);
    seen.add(api);
  }
  return restrictions;
}

function readRestriction(flag: string, prefix: string, text: string): Restriction {
  const [, names, key, value] = /^([^:]+):([^=]+)=(.+)$/.exec(text) ?? [];
  const header = prefix + (key ?? '').trim().toLowerCase();
  if (names === undefined || value === undefined || !HEADER_NAME.test(header)) {
    // The value is a secret, so the text is not repeated.
    const message = `${flag} must have the form API,API,...:HEADER=VALUE with letters, digits, '-', '_' and '.' in HEADER.`;
    throw new AloftError('USAGE', message);
  }
  return { apis: names.split(',').map((name) => listedApi(flag, name.trim())), header, value: value.trim() };
}

function listedApi(flag: string, name: string): ListedApi {
  const api = LISTED_APIS.find((candidate) => candidate === name);
  if (api !== undefined) return api;
  const near = suggestion(name, LISTED_APIS);
  const hint = near === undefined ? `use ${LISTED_APIS.join(', ')}.` : `did you mean '${near}'?`;
  throw new AloftError('USAGE', `${flag} names '${name}', which is no group; ${hint}`);
}

/** Groups that are restricted on one protocol and open on the other: most likely one flag was forgotten. */
export function halfRestricted({ http, grpc }: Restrictions): ListedApi[] {
  const of = (list: readonly Restriction[]) => new Set(list.flatMap(({ apis }) => apis));
  const [onHttp, onGrpc] = [of(http), of(grpc)];
  return LISTED_APIS.filter((api) => onHttp.has(api) !== onGrpc.has(api));
}
