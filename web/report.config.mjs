import { defineConfig } from 'vite';

// The program of reports: one script and one style, which `src/tools/report/html.ts` writes into each report.
export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: 'dist/report',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: 'src/report/main.tsx',
      output: { entryFileNames: 'report.js', assetFileNames: 'report[extname]', codeSplitting: false },
    },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
});
