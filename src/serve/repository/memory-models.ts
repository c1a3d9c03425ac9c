/** The models of a server for engines without a repository, as if `aloft repo create` had written them. */
import { present } from '../../core/present.js';
import type { ModelConfig } from '../../protocol/gen/model_config_pb.js';
import { writeConfigText } from '../../protocol/grpc/config-text.js';
import type { NamedEngine } from '../context/options.js';
import { readConfigFile } from './config-file.js';
import { completeSettings } from './create.js';
import type { ModelFiles } from './scan.js';
import { repositoryConfigs } from './templates.js';

/** Their configuration leaves out what flags of the command line set. @throws {AloftError} ENGINE_NOT_FOUND */
export function engineModels(engineDirectory: string, tokenizerDirectory: string | undefined): ModelFiles[] {
  const settings = completeSettings({ engineDirectory, ...present({ tokenizerDirectory }) });
  return [...repositoryConfigs(settings).values()].map(modelFiles);
}

/**
 * A model of texts by the engine's name, and the engine behind it, whose names do not clash with those of other engines.
 * @throws {AloftError} ENGINE_NOT_FOUND
 */
export function namedEngineModels({ name, directory }: NamedEngine): ModelFiles[] {
  const configs = repositoryConfigs(completeSettings({ engineDirectory: directory }));
  const engine = { ...configs.get('tensorrt_llm')!, name: `${name}.engine` };
  const text = configs.get('embedding') ?? configs.get('tensorrt_llm_bls')!;
  const parameters = {
    ...text.parameters,
    tensorrt_llm_model_name: { ...text.parameters['tensorrt_llm_model_name']!, stringValue: engine.name },
  };
  return [engine, { ...text, name, parameters }].map(modelFiles);
}

function modelFiles(config: ModelConfig): ModelFiles {
  const { name } = config;
  const text = writeConfigText(config);
  const { file, findings } = readConfigFile(`${name}/config.pbtxt`, text);
  return { name, directory: undefined, file, versions: [1], findings, signature: text };
}
