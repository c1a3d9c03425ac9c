// What programs that time kernels share: checked calls, launches that may begin before their predecessor has ended, and
// the time of a captured graph of them.
#pragma once
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>

#define CHECK(call)                                                             \
  do {                                                                          \
    const auto status = (call);                                                 \
    if ((int)status != 0) {                                                     \
      fprintf(stderr, "%s: error %d, line %d\n", #call, (int)status, __LINE__); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

static cudaStream_t stream;

template <typename... Args>
static void launch(void (*kernel)(Args...), int blocks, int threads, int sharedBytes, Args... args) {
  CHECK(cudaFuncSetAttribute((const void*)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, sharedBytes));
  cudaLaunchAttribute early;
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks, config.blockDim = threads, config.dynamicSmemBytes = sharedBytes, config.stream = stream;
  config.attrs = &early, config.numAttrs = 1;
  CHECK(cudaLaunchKernelEx(&config, kernel, args...));
}

// Microseconds of the fastest of some launches of a graph of what `enqueue` enqueues.
template <typename Enqueue>
static float fastest_launch(int launches, Enqueue enqueue) {
  cudaGraph_t graph;
  cudaGraphExec_t whole;
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  enqueue();
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&whole, graph, 0));
  cudaEvent_t start, end;
  CHECK(cudaEventCreate(&start));
  CHECK(cudaEventCreate(&end));
  float best = 1e9f;
  for (int i = 0; i < launches; i++) {
    float ms;
    CHECK(cudaEventRecord(start, stream));
    CHECK(cudaGraphLaunch(whole, stream));
    CHECK(cudaEventRecord(end, stream));
    CHECK(cudaEventSynchronize(end));
    CHECK(cudaEventElapsedTime(&ms, start, end));
    best = std::min(best, ms);
  }
  CHECK(cudaEventDestroy(start));
  CHECK(cudaEventDestroy(end));
  CHECK(cudaGraphExecDestroy(whole));
  CHECK(cudaGraphDestroy(graph));
  return best * 1000;
}
