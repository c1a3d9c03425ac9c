import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  build: { outDir: 'dist', emptyOutDir: true, modulePreload: { polyfill: false } },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  // During development, pages come from vite and answers from a running server.
  server: {
    proxy: {
      '/v1': 'http://127.0.0.1:8000',
      '/v2': 'http://127.0.0.1:8000',
      '/aloft': 'http://127.0.0.1:8000',
    },
  },
});
