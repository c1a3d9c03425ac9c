/** Attention windows as config.json has them. */
import type { JsonFile } from '../checkpoint/json-file.js';
import type { ModelConfig } from '../checkpoint/model-config.js';

type Windows = Pick<ModelConfig, 'windows'>;

/**
 * The windows of a model: `sliding_window` in the layers that `layer_types` lists as such.
 * @param isWindowed says which layers have it in configs without that list
 */
export function windowsWhere(file: JsonFile, isWindowed: (layer: number) => boolean): Windows {
  if (!file.has('sliding_window')) return {};
  const window = file.count('sliding_window');
  const types = layerTypes(file);
  const layerCount = file.count('num_hidden_layers');
  const windows = Array.from({ length: layerCount }, (_, layer) => {
    const hasWindow = types === undefined ? isWindowed(layer) : types[layer] === 'sliding_attention';
    return hasWindow ? window : null;
  });
  return windows.some((one) => one !== null) ? { windows } : {};
}

/** Qwen's: only with `use_sliding_window`, from layer `max_window_layers` on. */
export function qwenWindows(file: JsonFile): Windows {
  if (!file.flag('use_sliding_window', false)) return {};
  const first = file.optionalNumber('max_window_layers') ?? file.count('num_hidden_layers');
  return windowsWhere(file, (layer) => layer >= first);
}

function layerTypes(file: JsonFile): readonly unknown[] | undefined {
  if (!file.has('layer_types')) return undefined;
  const types = file.fields['layer_types'];
  const count = file.count('num_hidden_layers');
  const known = ['sliding_attention', 'full_attention'];
  if (Array.isArray(types) && types.length === count && types.every((type) => known.includes(String(type))))
    return types;
  return file.fail('layer_types', `a list of ${count} words, each one of ${known.join(', ')}`);
}
