/** Reasons why a service cannot listen, each as one sentence with the flag to change. */
import { AloftError } from '../../core/errors.js';
import { hostAndPort } from '../../core/network-address.js';
import type { ListenOptions } from '../context/options.js';
import { portHolder } from './port-holder.js';

/** Codes of the system for a name without an address. The library of gRPC has words of its own. */
const UNRESOLVED = /ENOTFOUND|EAI_AGAIN|Name resolution failed/;

/** The error for what opening `address` threw: ADDRESS_IN_USE for a port that is taken, else USAGE. */
export function listenFault(service: string, address: ListenOptions, cause: unknown): AloftError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const { host, port } = address;
  const flag = `--${service.toLowerCase()}`;
  const usage = (message: string) => new AloftError('USAGE', message, { cause });
  if (text.includes('EADDRNOTAVAIL'))
    return usage(
      `${host} is no address of this machine, so ${service} cannot listen there; give one that is, or 0.0.0.0 for all, with --host or ${flag}-address.`,
    );
  if (UNRESOLVED.test(text))
    return usage(
      `${host}, where ${service} should listen, cannot be resolved to an address; correct --host or ${flag}-address.`,
    );
  if (text.includes('EACCES'))
    return usage(
      `Port ${port} for ${service} may not be opened by this user; choose one from 1024 with ${flag}-port.`,
    );
  const holder = port === undefined ? undefined : portHolder(port);
  if (holder === undefined && !text.includes('EADDRINUSE'))
    return usage(`${service} cannot listen at ${hostAndPort(host, port ?? 0)}: ${text}.`);
  const by = holder === undefined ? '' : ` by ${holder}`;
  const message = `Port ${port} for ${service} is taken${by}; stop that or choose another with ${flag}-port.`;
  return new AloftError('ADDRESS_IN_USE', message, { cause });
}
