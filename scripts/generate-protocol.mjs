/** Generates src/protocol/gen from the .proto files. Needs `protoc` on the PATH; its output is committed. */
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';

const folder = fileURLToPath(new URL('../src/protocol/grpc/proto', import.meta.url));
run('Generating src/protocol/gen', 'protoc', [
  `--proto_path=${folder}`,
  '--plugin=node_modules/.bin/protoc-gen-es',
  '--es_out=src/protocol/gen',
  '--es_opt=target=ts,import_extension=js,erasable_syntax=true',
  'model_config.proto',
  'inference.proto',
  'health.proto',
]);
