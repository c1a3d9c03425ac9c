/** The `config` parameter of a load request: a configuration as JSON text that replaces the file. */
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { AloftError } from '../../core/errors.js';
import { ModelConfigSchema } from '../../protocol/gen/model_config_pb.js';
import { writeConfigText } from '../../protocol/grpc/config-text.js';

/**
 * @returns the configuration in text format; undefined when the request has none.
 * @throws {AloftError} REQUEST_INVALID, or UNSUPPORTED for files sent with the request.
 */
export function configOverride(parameters: Readonly<Record<string, unknown>>): string | undefined {
  const file = Object.keys(parameters).find((key) => key.startsWith('file:'));
  if (file !== undefined) {
    throw new AloftError(
      'UNSUPPORTED',
      `Parameter '${file}' is not supported: put model files into the repository directory.`,
    );
  }
  const { config } = parameters;
  if (config === undefined) return undefined;
  if (typeof config !== 'string')
    throw new AloftError('REQUEST_INVALID', `Parameter 'config' must be a JSON string.`);
  try {
    const json: JsonValue = JSON.parse(config);
    return writeConfigText(fromJson(ModelConfigSchema, json));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AloftError('REQUEST_INVALID', `Parameter 'config' is not a model configuration: ${reason}`, {
      cause,
    });
  }
}
