import { AloftError } from '../../core/errors.js';
import { addressOf } from '../../ffi/memory.js';
import { declareBytesStruct, type StructBytes } from '../../ffi/library.js';
import {
  CUDA_ERROR_NO_DEVICE,
  CUDA_ERROR_NOT_READY,
  CUDA_ERROR_OUT_OF_MEMORY,
  CUDA_SUCCESS,
  DRIVER_PROTOTYPES,
  DRIVER_STRUCTS,
  type DriverFunctionName,
} from './driver-api.js';
import { openCudaLibrary } from './library-search.js';

type Argument = number | string | StructBytes;
type RawCall = (...args: Argument[]) => number;

/**
 * The CUDA driver, with every status checked. Out-parameters go through one scratch buffer:
 * calls are synchronous and there is one thread per JavaScript environment.
 */
export interface CudaDriver {
  /** Calls and checks. @throws {AloftError} OUT_OF_MEMORY, DEVICE_UNAVAILABLE, DEVICE_FAILED with the call's name */
  call(name: DriverFunctionName, ...args: Argument[]): void;
  /** Calls a function whose first parameter is a pointer to a 64-bit result; returns that result. */
  out64(name: DriverFunctionName, ...args: Argument[]): number;
  /** Calls a function that takes `first` and then a pointer to a 64-bit result. */
  out64WithFirst(name: DriverFunctionName, first: number): number;
  /** As `out64`, for a pointer to an int. */
  out32(name: DriverFunctionName, ...args: Argument[]): number;
  /** As `out64`, for a pointer to a float. */
  outFloat(name: DriverFunctionName, ...args: Argument[]): number;
  /** True when done, false when the device still works. */
  query(name: 'cuEventQuery', handle: number): boolean;
  /** The bare function, for the few calls on hot paths; the caller gives the status to `check`. */
  raw(name: DriverFunctionName): RawCall;
  check(name: DriverFunctionName, status: number): void;
}

/** Loads libcuda and initialises it. @throws {AloftError} DEVICE_UNAVAILABLE */
export function openDriver(libraryPath?: string): CudaDriver {
  const library = openCudaLibrary('driver', libraryPath);
  for (const [name, byteLength] of Object.entries(DRIVER_STRUCTS)) declareBytesStruct(name, byteLength);
  const bound = new Map<DriverFunctionName, RawCall>();
  const raw = (name: DriverFunctionName): RawCall => {
    let call = bound.get(name);
    if (call === undefined) {
      call = library.bind(`int ${name}${DRIVER_PROTOTYPES[name]}`) as RawCall;
      bound.set(name, call);
    }
    return call;
  };
  const errorText = library.bind('int cuGetErrorString(int status, _Out_ const char **text)');
  const errorName = library.bind('int cuGetErrorName(int status, _Out_ const char **text)');
  const describe = (status: number): string => {
    const name: (string | null)[] = [null];
    const text: (string | null)[] = [null];
    errorName(status, name);
    errorText(status, text);
    return `${name[0] ?? status} (${text[0] ?? 'unknown error'})`;
  };
  const check = (name: DriverFunctionName, status: number): void => {
    if (status !== CUDA_SUCCESS) throw driverError(name, status, describe(status));
  };
  // An ArrayBuffer's memory never moves, unlike that of a small typed array.
  const scratch = new DataView(new ArrayBuffer(128));
  const scratchAddress = addressOf(scratch);
  const out = (name: DriverFunctionName, args: readonly Argument[]): void => {
    scratch.setBigUint64(0, 0n, true);
    check(name, raw(name)(scratchAddress, ...args));
  };
  const driver: CudaDriver = {
    raw,
    check,
    call: (name, ...args) => check(name, raw(name)(...args)),
    out64(name, ...args) {
      out(name, args);
      return Number(scratch.getBigUint64(0, true));
    },
    out64WithFirst(name, first) {
      scratch.setBigUint64(0, 0n, true);
      check(name, raw(name)(first, scratchAddress));
      return Number(scratch.getBigUint64(0, true));
    },
    out32(name, ...args) {
      out(name, args);
      return scratch.getInt32(0, true);
    },
    outFloat(name, ...args) {
      out(name, args);
      return scratch.getFloat32(0, true);
    },
    query(name, handle) {
      const status = raw(name)(handle);
      if (status === CUDA_ERROR_NOT_READY) return false;
      check(name, status);
      return true;
    },
  };
  driver.call('cuInit', 0);
  return driver;
}

function driverError(name: string, status: number, description: string): AloftError {
  if (status === CUDA_ERROR_OUT_OF_MEMORY)
    return new AloftError('OUT_OF_MEMORY', `${name}: the GPU's memory is not enough.`);
  if (status === CUDA_ERROR_NO_DEVICE)
    return new AloftError('DEVICE_UNAVAILABLE', `No CUDA GPU: ${name} said ${description}.`);
  return new AloftError('DEVICE_FAILED', `${name} failed: ${description}.`);
}
