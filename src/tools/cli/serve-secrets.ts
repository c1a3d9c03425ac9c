/** Certificates and keys that flags of `aloft serve` name as files. */
import { readFileSync } from 'node:fs';
import { AloftError } from '../../core/errors.js';
import type { TlsFiles } from '../../serve/context/options.js';

/** Flags of gRPC's own TLS, by Triton's names. */
export interface GrpcTlsFlags {
  readonly grpcUseSsl?: boolean;
  readonly grpcUseSslMutual?: boolean;
  readonly grpcServerCert?: string;
  readonly grpcServerKey?: string;
  readonly grpcRootCert?: string;
}

/** @throws {AloftError} USAGE when flags are missing or a file cannot be read */
export function readGrpcTls(flags: GrpcTlsFlags): TlsFiles {
  const names = '--grpc-server-cert and --grpc-server-key';
  if (flags.grpcUseSslMutual && flags.grpcRootCert === undefined)
    throw new AloftError('USAGE', '--grpc-use-ssl-mutual needs --grpc-root-cert.');
  const authority = flags.grpcUseSslMutual ? flags.grpcRootCert : undefined;
  const tls = readTls({ certificate: flags.grpcServerCert, key: flags.grpcServerKey, authority }, names);
  if (tls === undefined) throw new AloftError('USAGE', `--grpc-use-ssl needs ${names}.`);
  return tls;
}

interface TlsPaths {
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly authority: string | undefined;
}

/** @param names flags that give the first two paths @throws {AloftError} USAGE when one is missing or cannot be read */
export function readTls({ certificate, key, authority }: TlsPaths, names: string): TlsFiles | undefined {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined) {
    throw new AloftError('USAGE', `TLS needs both ${names}.`);
  }
  return {
    certificate: readText(certificate),
    key: readText(key),
    clientAuthority: authority === undefined ? undefined : readText(authority),
  };
}

/** Keys in a file, one a line; lines that begin with # are comments. None without a file. @throws {AloftError} USAGE */
export function readKeys(path: string | undefined, flag: string): string[] {
  if (path === undefined) return [];
  const keys = readText(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new AloftError('USAGE', `${flag} ${path} holds no key.`);
  return keys;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AloftError('USAGE', `'${path}' cannot be read.`, { cause });
  }
}
