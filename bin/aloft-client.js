#!/usr/bin/env node
// `aloft client` under the names of tensorrtllm_backend's client scripts.
process.argv.splice(2, 0, 'client');
await import('./aloft.js');
