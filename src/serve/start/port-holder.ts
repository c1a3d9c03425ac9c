/** Finds the process that holds a TCP port, from /proc (Linux only). */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** `process NAME (pid N)`; undefined when it cannot be found out. */
export function portHolder(port: number): string | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => listenInodes(path, port)));
  if (inodes.size === 0) return undefined;
  for (const pid of attempt(() => readdirSync('/proc')) ?? []) {
    if (!/^\d+$/.test(pid)) continue;
    const descriptors = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
    const isHolder = descriptors.some((fd) =>
      inodes.has(attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? ''),
    );
    if (!isHolder) continue;
    const name = attempt(() => readFileSync(`/proc/${pid}/comm`, 'utf8'))?.trim() ?? 'unknown';
    return `process ${name} (pid ${pid})`;
  }
  return undefined;
}

const LISTENING = '0A';

function listenInodes(path: string, port: number): string[] {
  const lines =
    attempt(() => readFileSync(path, 'utf8'))
      ?.split('\n')
      .slice(1) ?? [];
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const localPort = Number.parseInt(fields[1]?.split(':')[1] ?? '', 16);
    return localPort === port && fields[3] === LISTENING ? [`socket:[${fields[9]}]`] : [];
  });
}

/** Processes come and go while they are looked at, and others may not be looked into. */
function attempt<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
