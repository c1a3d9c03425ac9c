/** Certificates and keys that flags of `aloft serve` name as files. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { AloftError } from '../../core/errors.js';
import { readingFile } from '../../core/file-fault.js';
import type { TlsFiles } from '../../serve/context/options.js';

/** Flags of gRPC's own TLS, by Triton's names. */
export interface GrpcTlsFlags {
  readonly grpcUseSsl?: boolean;
  readonly grpcUseSslMutual?: boolean;
  readonly grpcServerCert?: string;
  readonly grpcServerKey?: string;
  readonly grpcRootCert?: string;
}

/** @throws {AloftError} USAGE when flags are missing or files are not what they should be, FILE_UNREADABLE */
export function readGrpcTls(flags: GrpcTlsFlags): TlsFiles {
  if (flags.grpcUseSslMutual && flags.grpcRootCert === undefined)
    throw new AloftError('USAGE', '--grpc-use-ssl-mutual needs --grpc-root-cert.');
  const tls = readTls({
    certificate: { flag: '--grpc-server-cert', path: flags.grpcServerCert },
    key: { flag: '--grpc-server-key', path: flags.grpcServerKey },
    authority: {
      flag: '--grpc-root-cert',
      path: flags.grpcUseSslMutual ? flags.grpcRootCert : undefined,
    },
  });
  if (tls !== undefined) return tls;
  throw new AloftError('USAGE', '--grpc-use-ssl needs --grpc-server-cert and --grpc-server-key.');
}

interface FileFlag {
  readonly flag: string;
  readonly path: string | undefined;
}

interface TlsFlags {
  readonly certificate: FileFlag;
  readonly key: FileFlag;
  readonly authority: FileFlag;
}

/**
 * The files, tried out: OpenSSL's own errors name no file.
 * @throws {AloftError} USAGE when one is missing, is no PEM file of its kind or fits not the other, FILE_UNREADABLE
 */
export function readTls({ certificate, key, authority }: TlsFlags): TlsFiles | undefined {
  if (certificate.path === undefined && key.path === undefined) return undefined;
  const names = `${certificate.flag} and ${key.flag}`;
  if (certificate.path === undefined || key.path === undefined)
    throw new AloftError('USAGE', `TLS needs both ${names}.`);
  const files = {
    certificate: readText(certificate.flag, certificate.path),
    key: readText(key.flag, key.path),
    clientAuthority: authority.path === undefined ? undefined : readText(authority.flag, authority.path),
  };
  const secret = parsed(key, 'private key without a passphrase', () => createPrivateKey(files.key));
  const own = parsed(certificate, 'certificate', () => new X509Certificate(files.certificate));
  if (files.clientAuthority !== undefined)
    parsed(authority, 'certificate', () => new X509Certificate(files.clientAuthority!));
  if (!own.checkPrivateKey(secret))
    throw new AloftError('USAGE', `${names} do not belong together; name the key of this certificate.`);
  const { certificate: cert, key: secretText, clientAuthority: ca } = files;
  try {
    createSecureContext({ cert, key: secretText, ...(ca === undefined ? {} : { ca }) });
  } catch (cause) {
    throw new AloftError('USAGE', `OpenSSL refuses ${names}: ${(cause as Error).message}.`, { cause });
  }
  return files;
}

function parsed<Result>({ flag, path }: FileFlag, kind: string, parse: () => Result): Result {
  try {
    return parse();
  } catch (cause) {
    throw new AloftError('USAGE', `${flag} ${path} holds no ${kind} in PEM form.`, { cause });
  }
}

/** Keys in a file, one a line; lines that begin with # are comments. None without a file. @throws {AloftError} USAGE, FILE_UNREADABLE */
export function readKeys(path: string | undefined, flag: string): string[] {
  if (path === undefined) return [];
  const keys = readText(flag, path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new AloftError('USAGE', `${flag} ${path} holds no key.`);
  return keys;
}

/** @throws {AloftError} FILE_UNREADABLE with the flag that names the file */
function readText(flag: string, path: string): string {
  return readingFile(`${flag} ${path}`, () => readFileSync(path, 'utf8'));
}
