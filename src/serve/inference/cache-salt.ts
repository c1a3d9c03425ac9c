/** Salts of the prefix cache: requests of different salts never share blocks, so that no caller learns what others have sent. */
import { AloftError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/generate.js';
import { requireWithin } from '../../core/request-limits.js';
import type { Parameters } from '../../protocol/kserve/infer.js';

/** The request in its caller's part of the cache, which its own salt divides further. */
export function withTenant(request: GenerateRequest, tenant: string | undefined): GenerateRequest {
  if (tenant === undefined) return request;
  return { ...request, cacheSalt: `${tenant}:${request.cacheSalt ?? ''}` };
}

/** Request parameter `cache_salt` of Triton's protocols. @throws {AloftError} REQUEST_INVALID */
export function saltOf({ cache_salt: salt }: Parameters): string | undefined {
  if (salt === undefined) return undefined;
  if (typeof salt !== 'string')
    throw new AloftError('REQUEST_INVALID', `Request parameter 'cache_salt' must be a string.`);
  requireWithin('idCharacters', salt.length, `Request parameter 'cache_salt'`);
  return salt;
}
