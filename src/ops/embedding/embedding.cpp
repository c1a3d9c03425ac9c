#include "ops/cpu/api.h"
#include "ops/cpu/half.h"
#include "ops/cpu/pool.h"
#include <cstring>

namespace {

// As TABLE_DTYPES in cpu.ts.
enum class TableDtype : int { f32 = 0, f16 = 1, bf16 = 2, i8 = 3 };

struct Table {
  uint64_t address;  // [vocabulary, columns]
  uint64_t scales;   // [vocabulary] f32, for i8
  TableDtype dtype;
  int64_t columns;
};

void copyRow(const Table& table, int64_t row, float* out) {
  using namespace aloft;
  const int64_t at = row * table.columns;
  switch (table.dtype) {
    case TableDtype::f32:
      std::memcpy(out, pointer<const float>(table.address) + at, table.columns * sizeof(float));
      break;
    case TableDtype::f16:
      for (int64_t i = 0; i < table.columns; i++)
        out[i] = ALOFT_ISA::halfToFloat(pointer<const uint16_t>(table.address)[at + i]);
      break;
    case TableDtype::bf16:
      for (int64_t i = 0; i < table.columns; i++)
        out[i] = ALOFT_ISA::bfloatToFloat(pointer<const uint16_t>(table.address)[at + i]);
      break;
    case TableDtype::i8: {
      const float scale = pointer<const float>(table.scales)[row];
      for (int64_t i = 0; i < table.columns; i++) out[i] = pointer<const int8_t>(table.address)[at + i] * scale;
      break;
    }
  }
}

}  // namespace

// out[t] = factor * table[tokenIds[t]]  tokenIds [tokens] i32, out [tokens, columns] f32
ALOFT_API void aloft_embedding(uint64_t poolAddress, uint64_t tableAddress, uint64_t scalesAddress, int dtype,
                               uint64_t tokenIdsAddress, uint64_t outAddress, int64_t tokens, int64_t columns,
                               double factor) {
  using namespace aloft;
  const Table table = {tableAddress, scalesAddress, static_cast<TableDtype>(dtype), columns};
  const int32_t* tokenIds = pointer<const int32_t>(tokenIdsAddress);
  float* out = pointer<float>(outAddress);
  parallelFor(pointer<Pool>(poolAddress), tokens, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      float* row = out + t * columns;
      copyRow(table, tokenIds[t], row);
      if (factor != 1)
        for (int64_t i = 0; i < columns; i++) row[i] *= static_cast<float>(factor);
    }
  });
}
