/** Addresses of hosts as configurations, listeners and URLs write them: an IPv6 address is in brackets only where a port follows. */

/** The address without the brackets of a URL. */
export function bareHost(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** `host:port`, with an IPv6 address in brackets. */
export function hostAndPort(host: string, port: number | string): string {
  const bare = bareHost(host);
  return `${bare.includes(':') ? `[${bare}]` : bare}:${port}`;
}
