/** The models of a server for one engine, as if `aloft repo create` had written them. */
import { present } from '../../core/present.js';
import { writeConfigText } from '../../protocol/grpc/config-text.js';
import { readConfigFile } from './config-file.js';
import { completeSettings } from './create.js';
import type { ModelFiles } from './scan.js';
import { repositoryConfigs } from './templates.js';

/** Their configuration leaves out what flags of the command line set. @throws {AloftError} ENGINE_NOT_FOUND */
export function engineModels(engineDirectory: string, tokenizerDirectory: string | undefined): ModelFiles[] {
  const settings = completeSettings({ engineDirectory, ...present({ tokenizerDirectory }) });
  return [...repositoryConfigs(settings)].map(([name, config]) => {
    const text = writeConfigText(config);
    const { file, findings } = readConfigFile(`${name}/config.pbtxt`, text);
    return { name, directory: undefined, file, versions: [1], findings, signature: text };
  });
}
