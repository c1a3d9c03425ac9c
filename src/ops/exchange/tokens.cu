// Rank 0 samples for all: its tokens go to the other ranks, whose next step reads them as the last tokens of slots.
// Only rank 0 sends. It cannot get two rounds ahead, because every step with tokens begins with sums over ranks.
#include "exchange/exchange.cuh"

#define TOKEN_THREADS 128

struct ShareTokensArgs {
  const u64* region;
  const int* tokens;  // [logits], and room up to a multiple of four
  int logits;         // a slot has room for all of them
};

extern "C" __global__ void __launch_bounds__(TOKEN_THREADS) share_tokens(const ShareTokensArgs a) {
  allow_successor();
  Region region = region_at(a.region);
  wait_predecessor();
  begin_round(region);
  const int vectors = (a.logits + 3) / 4;
  for (int i = threadIdx.x; i < vectors; i += TOKEN_THREADS)
    push_to_all<1>(region, 0, i, cleaned<Words>(load16(a.tokens + 4 * i)));
  end_round(region, 0);
}

// Where a token of a step goes.
struct TokenTargets {
  int* lastTokens;          // [slots]
  const int* rowSlots;      // [rows]; below 0: no slot
  const int* logitRows;     // [logits]
  const int* logitTargets;  // [logits]; below 0: the token was sampled
  int logits;

  __device__ __forceinline__ void place(int logit, int token) const {
    if (logit >= logits || logitTargets[logit] >= 0) return;
    const int slot = rowSlots[logitRows[logit]];
    if (slot >= 0) lastTokens[slot] = token;
  }
};

struct TakeTokensArgs {
  const u64* region;
  int* lastTokens;
  const int* rowSlots;
  const int* logitRows;
  const int* logitTargets;
  int logits;
};

extern "C" __global__ void __launch_bounds__(TOKEN_THREADS) take_tokens(const TakeTokensArgs a) {
  allow_successor();
  Region region = region_at(a.region);
  wait_predecessor();
  begin_round(region);
  clear_round_before<Words, 1>(region);
  const TokenTargets targets = {a.lastTokens, a.rowSlots, a.logitRows, a.logitTargets, a.logits};
  const int vectors = (a.logits + 3) / 4;
  const Vec16* slot = slot_in<1>(region, own_base(region), 0);
  for (int i = threadIdx.x; i < vectors; i += TOKEN_THREADS) {
    const Vec16 v = await_vector<Words>(region, slot + i, 0, load_from_peer(slot + i));
#pragma unroll
    for (int j = 0; j < 4; j++) targets.place(4 * i + j, (int)v.w[j]);
  }
  end_round(region, vectors);
}

struct PlaceTokensArgs {
  const int* tokens;  // [logits]
  int* lastTokens;
  const int* rowSlots;
  const int* logitRows;
  const int* logitTargets;
  int logits;
};

// The same for tokens that a library has brought.
extern "C" __global__ void __launch_bounds__(TOKEN_THREADS) place_tokens(const PlaceTokensArgs a) {
  allow_successor();
  wait_predecessor();
  const TokenTargets targets = {a.lastTokens, a.rowSlots, a.logitRows, a.logitTargets, a.logits};
  for (int i = threadIdx.x; i < a.logits; i += TOKEN_THREADS) targets.place(i, a.tokens[i]);
}
