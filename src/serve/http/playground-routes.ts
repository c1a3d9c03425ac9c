/** GET / and its assets: the built playground page, read once at start. */
import type { FastifyInstance } from 'fastify';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { type Handler, route } from './route.js';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Content security policy: the page loads nothing from elsewhere, even if something injected asks for it. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function playgroundRoutes(app: FastifyInstance, directory: string | undefined): void {
  if (directory === undefined || !existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = readFileSync(path);
    const url = `/${relative(directory, path).replaceAll('\\', '/')}`;
    const isPage = url === '/index.html';
    if (!isPage && !url.startsWith('/assets/')) continue; // the program of reports is no part of the page
    // Asset names hold a hash of their content; the page itself does not.
    const caching = isPage ? 'no-cache' : 'public, max-age=31536000, immutable';
    const sendFile: Handler = (_, reply) =>
      reply
        .type(CONTENT_TYPES[extname(path)] ?? 'application/octet-stream')
        .header('cache-control', caching)
        .header('content-security-policy', CONTENT_SECURITY_POLICY)
        .header('x-content-type-options', 'nosniff')
        .send(content);
    route(app, isPage ? '/' : url, { GET: sendFile }, { access: 'page', isDescribed: false });
  }
}
