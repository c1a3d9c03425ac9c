// Loads a library of CPU kernels, runs linears of f16 and int8 weights and a norm on two threads, and prints the bits of
// their results: check <library>. Compiled with musl and with glibc, it must print the same.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { tokens = 3, in = 128, out = 40, tiles = 3, f32 = 0, f16 = 1, int8 = 3 };

static void* library;

static void* function(const char* name) {
  void* found = dlsym(library, name);
  if (found != NULL) return found;
  fprintf(stderr, "%s\n", dlerror());
  exit(1);
}

static uint64_t at(const void* pointer) { return (uint64_t)(uintptr_t)pointer; }

static void* zeros(size_t bytes) {
  void* memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
  return memset(memory, 0, (bytes + 63) / 64 * 64);
}

static float* numbers(size_t count, unsigned seed) {
  float* values = zeros(count * sizeof(float));
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (float)(int32_t)seed / 2147483648.0f;
  }
  return values;
}

static void print(const char* name, const float* values, size_t count) {
  uint64_t hash = 14695981039346656037u;
  const unsigned char* bytes = (const unsigned char*)values;
  for (size_t i = 0; i < count * sizeof(float); i++) hash = (hash ^ bytes[i]) * 1099511628211u;
  printf("%s %016llx %g\n", name, (unsigned long long)hash, (double)values[0]);
}

static void linear(uint64_t pool, int format, const float* x, const float* weights) {
  void (*pack)(uint64_t, int, int, uint64_t, int64_t, int64_t, int64_t, int, uint64_t, uint64_t, uint64_t, uint64_t) =
      function("aloft_linear_pack");
  void (*run)(uint64_t, int, int64_t, int64_t, int64_t, int64_t, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
              uint64_t, uint64_t, uint64_t, uint64_t) = function("aloft_linear");
  void* packed = zeros(tiles * 16 * in * 2);
  float* scales = zeros(tiles * 16 * sizeof(float));
  int32_t* sums = zeros(tiles * 16 * sizeof(int32_t));
  double report[4];
  float* result = zeros(tokens * out * sizeof(float));
  pack(pool, 1, f32, at(weights), out, in, out, format, at(packed), at(scales), at(sums), at(report));
  run(pool, format, 0, tokens, in, out, 16, at(x), at(packed), at(scales), at(sums), 0, 0, 0, at(result));
  print(format == f16 ? "f16" : "int8", result, tokens * out);
}

int main(int count, char** arguments) {
  library = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  if (library == NULL) {
    fprintf(stderr, "%s\n", count == 2 ? dlerror() : "usage: check <library>");
    return 1;
  }
  if (dlopen("libc.so.6", RTLD_NOW) == NULL) {  // the name by which our TypeScript opens the C library
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  int (*level)(void) = function("aloft_isa_detect");
  uint64_t (*create)(int, int) = function("aloft_pool_create");
  void (*destroy)(uint64_t) = function("aloft_pool_destroy");
  void (*norm)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, int64_t, int64_t, double) = function("aloft_rms_norm");
  const float *x = numbers(tokens * in, 1), *weights = numbers(out * in, 2);
  for (int isa = 0; isa <= level(); isa++) {
    const uint64_t pool = create(2, isa);
    printf("level %d\n", isa);
    linear(pool, f16, x, weights);
    linear(pool, int8, x, weights);
    float* result = zeros(tokens * in * sizeof(float));
    norm(pool, at(x), 0, at(weights), at(result), tokens, in, 1e-5);
    print("norm", result, tokens * in);
    destroy(pool);
  }
  return 0;
}
