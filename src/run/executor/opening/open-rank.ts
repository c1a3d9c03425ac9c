/** Opens and checks the file of one rank of an engine: the only way to it for executors, profiles and dry runs. */
import type { DeviceName } from '../../../core/device.js';
import { DEVICES } from '../../../device/device.js';
import { readManifest } from '../../../engine/manifest.js';
import { type EngineRank, openEngineRank, type Verification } from '../../../engine/rank-file-reader.js';
import { firstLayers } from '../../../plan/first-layers.js';
import { checkRank } from './check-rank.js';

/** Rank of an engine that a process runs. Everything but the directory may be left out. */
export interface EngineRankRequest {
  readonly engineDirectory: string;
  /** Rank of this process. Default 0. */
  readonly rank?: number;
  /** Number of ranks that run the engine together. Default 1. */
  readonly worldSize?: number;
  /** Default `sample`. */
  readonly verification?: Verification;
  /** Number of layers to run, whose result goes through final norm and head. Default: all. */
  readonly layerCount?: number;
  /** Receives the bytes of weights that are in their place so far. A function stays on its thread. */
  readonly onWeightBytes?: (bytes: number) => void;
}

/** Needs of the device that opens the file. */
export interface RankFileNeeds {
  /** Device that runs the rank. Default: the one that the engine was built for. */
  readonly device?: DeviceName;
  /** See {@link openEngineRank}. */
  readonly maxResidentBytes?: number;
}

/** @throws {AloftError} of the engine reader */
export function openRank(request: EngineRankRequest, needs: RankFileNeeds = {}): EngineRank {
  const { engineDirectory, rank = 0, worldSize = 1, verification = 'sample' } = request;
  const { device = readManifest(engineDirectory).aloft.device, maxResidentBytes = 0 } = needs;
  const { version: layoutVersion } = DEVICES[device].layout;
  const engine = openEngineRank(engineDirectory, {
    rank,
    worldSize,
    device,
    layoutVersion,
    verification,
    maxResidentBytes,
    onBytes: request.onWeightBytes,
  });
  try {
    checkRank(engine, DEVICES[device].layout);
    const { layerCount } = request;
    return layerCount === undefined ? engine : { ...engine, plan: firstLayers(engine.plan, layerCount) };
  } catch (fault) {
    engine.dispose();
    throw fault;
  }
}
