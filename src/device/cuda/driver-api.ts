/**
 * Prototypes of the CUDA driver functions that we call, in koffi's syntax. Handles and device addresses are `uint64_t`
 * so that they stay numbers; pointers to host memory are `uint64_t` addresses of buffers that the caller keeps alive.
 * Source: cuda.h of CUDA 13.0 (the `_v2` symbols are the ABI since CUDA 4 and are what the header's macros resolve to).
 */
export const DRIVER_PROTOTYPES = {
  cuInit: '(uint32_t flags)',
  cuDriverGetVersion: '(uint64_t version)',
  cuDeviceGetCount: '(uint64_t count)',
  cuDeviceGet: '(uint64_t device, int ordinal)',
  cuDeviceGetName: '(uint64_t name, int length, int device)',
  cuDeviceGetAttribute: '(uint64_t value, int attribute, int device)',
  cuDeviceGetUuid_v2: '(uint64_t uuid, int device)',
  cuDeviceTotalMem_v2: '(uint64_t bytes, int device)',
  cuDeviceCanAccessPeer: '(uint64_t can, int device, int peer)',
  cuDeviceGetP2PAttribute: '(uint64_t value, int attribute, int device, int peer)',
  cuDevicePrimaryCtxRetain: '(uint64_t context, int device)',
  cuDevicePrimaryCtxRelease_v2: '(int device)',
  cuCtxSetCurrent: '(uint64_t context)',
  cuCtxSynchronize: '()',
  cuMemGetInfo_v2: '(uint64_t free, uint64_t total)',
  cuMemAlloc_v2: '(uint64_t address, size_t bytes)',
  cuMemFree_v2: '(uint64_t address)',
  cuMemGetAddressRange_v2: '(uint64_t base, uint64_t bytes, uint64_t address)',
  cuIpcGetMemHandle: '(uint64_t handle, uint64_t address)',
  cuIpcOpenMemHandle_v2: '(uint64_t address, CUipcMemHandle handle, uint32_t flags)',
  cuIpcCloseMemHandle: '(uint64_t address)',
  cuMemHostAlloc: '(uint64_t address, size_t bytes, uint32_t flags)',
  cuMemFreeHost: '(uint64_t address)',
  cuMemcpyHtoD_v2: '(uint64_t target, uint64_t source, size_t bytes)',
  cuMemcpyDtoH_v2: '(uint64_t target, uint64_t source, size_t bytes)',
  cuMemcpyHtoDAsync_v2: '(uint64_t target, uint64_t source, size_t bytes, uint64_t stream)',
  cuMemcpyDtoHAsync_v2: '(uint64_t target, uint64_t source, size_t bytes, uint64_t stream)',
  cuMemcpyDtoDAsync_v2: '(uint64_t target, uint64_t source, size_t bytes, uint64_t stream)',
  cuMemsetD8Async: '(uint64_t target, uint8_t value, size_t bytes, uint64_t stream)',
  cuMemsetD32Async: '(uint64_t target, uint32_t value, size_t words, uint64_t stream)',
  cuStreamCreate: '(uint64_t stream, uint32_t flags)',
  cuStreamDestroy_v2: '(uint64_t stream)',
  cuStreamSynchronize: '(uint64_t stream)',
  cuStreamWaitEvent: '(uint64_t stream, uint64_t event, uint32_t flags)',
  cuStreamAddCallback: '(uint64_t stream, uint64_t callback, uint64_t data, uint32_t flags)',
  cuEventCreate: '(uint64_t event, uint32_t flags)',
  cuEventDestroy_v2: '(uint64_t event)',
  cuEventRecord: '(uint64_t event, uint64_t stream)',
  cuEventQuery: '(uint64_t event)',
  cuEventSynchronize: '(uint64_t event)',
  cuEventElapsedTime: '(uint64_t milliseconds, uint64_t start, uint64_t end)',
  cuModuleLoadData: '(uint64_t module, uint64_t image)',
  cuModuleUnload: '(uint64_t module)',
  cuModuleGetFunction: '(uint64_t function, uint64_t module, str name)',
  cuFuncGetAttribute: '(uint64_t value, int attribute, uint64_t function)',
  cuFuncSetAttribute: '(uint64_t function, int attribute, int value)',
  cuTensorMapEncodeTiled:
    '(uint64_t map, int type, uint32_t rank, uint64_t address, uint64_t sizes, uint64_t strides, uint64_t box, uint64_t steps, int interleave, int swizzle, int promotion, int fill)',
  cuLaunchKernelEx: '(uint64_t config, uint64_t function, uint64_t parameters, uint64_t extra)',
  cuStreamBeginCapture_v2: '(uint64_t stream, int mode)',
  cuStreamEndCapture: '(uint64_t stream, uint64_t graph)',
  cuGraphInstantiateWithFlags: '(uint64_t executable, uint64_t graph, uint64_t flags)',
  cuGraphLaunch: '(uint64_t executable, uint64_t stream)',
  cuGraphExecDestroy: '(uint64_t executable)',
  cuGraphDestroy: '(uint64_t graph)',
} as const;

/** Structs that functions of the driver take by value, with their sizes. */
export const DRIVER_STRUCTS = { CUipcMemHandle: 64 } as const;

export type DriverFunctionName = keyof typeof DRIVER_PROTOTYPES;

/** `CUdevice_attribute` values that we read. */
export const DEVICE_ATTRIBUTE = {
  multiprocessorCount: 16,
  l2CacheBytes: 38,
  computeMajor: 75,
  computeMinor: 76,
  sharedBytesPerMultiprocessor: 81,
  sharedBytesPerBlockOptIn: 97,
} as const;

/** `CUdevice_P2PAttribute` values that we read. */
export const P2P_ATTRIBUTE = { performanceRank: 1, nativeAtomics: 3 } as const;

/** `CUfunction_attribute` values that we read or set. */
export const FUNCTION_ATTRIBUTE = {
  sharedBytes: 1,
  localBytes: 3,
  registerCount: 4,
  maxDynamicSharedBytes: 8,
} as const;

/** Byte layout of `CUlaunchConfig` and `CUlaunchAttribute` on 64-bit Linux; compared with cuda.h by a test. */
export const LAUNCH_LAYOUT = {
  configBytes: 56,
  gridOffset: 0,
  blockOffset: 12,
  sharedBytesOffset: 24,
  streamOffset: 32,
  attributesOffset: 40,
  attributeCountOffset: 48,
  attributeBytes: 72,
  attributeValueOffset: 8,
} as const;

/** `CUlaunchAttributeID` values that we use. */
export const LAUNCH_ATTRIBUTE = { programmaticStreamSerialization: 6 } as const;

export const CUDA_SUCCESS = 0;
export const CUDA_ERROR_OUT_OF_MEMORY = 2;
export const CUDA_ERROR_NO_DEVICE = 100;
export const CUDA_ERROR_NOT_READY = 600;
