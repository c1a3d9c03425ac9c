// Runs the kernels of exchanges between RANKS ranks with HIDDEN columns, in rounds of changing sizes, and compares
// every result. Prints the number of differences. Whoever includes this has included the kernels.
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <vector>

constexpr int THREADS = 8, MAX_ROWS = 12, ROUNDS = 12, GATHER_COLUMNS = 13;
using Halves16 = std::vector<u16>;

// Runs a kernel's grid as one rank.
template <typename Args> void run_grid(int rank, int blocks, void (*kernel)(Args), Args args) {
  std::vector<std::unique_ptr<std::barrier<>>> barriers;
  std::vector<std::thread> threads;
  for (int block = 0; block < blocks; block++) {
    barriers.push_back(std::make_unique<std::barrier<>>(THREADS));
    for (int thread = 0; thread < THREADS; thread++)
      threads.emplace_back([=, barrier = barriers.back().get()] {
        emulatedRank = rank;
        threadIdx.x = thread;
        blockIdx.x = block;
        gridDim.x = blocks;
        blockDim.x = THREADS;
        blockBarrier = barrier;
        kernel(args);
      });
  }
  for (std::thread& thread : threads) thread.join();
}

void on_all(const std::function<void(int)>& work) {
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < RANKS; rank++) ranks.emplace_back(work, rank);
  for (std::thread& rank : ranks) rank.join();
}

// A region of every rank, with its description.
struct Regions {
  std::vector<Vec16> memory[RANKS];
  RegionState states[RANKS] = {};
  u32 signals[RANKS][2] = {};
  u64 tables[RANKS][REGION_PEERS + RANKS];

  Regions(int slots, u64 slotVectors, u32 sentinel, u64 deadlineNs) {
    for (auto& own : memory) own.assign(BUFFERS * slots * slotVectors, Vec16{{sentinel, sentinel, sentinel, sentinel}});
    for (int rank = 0; rank < RANKS; rank++) {
      u64* table = tables[rank];
      table[REGION_RANK] = rank;
      table[REGION_STATE] = reinterpret_cast<u64>(&states[rank]);
      table[REGION_SIGNALS] = reinterpret_cast<u64>(signals[rank]);
      table[REGION_SLOT_VECTORS] = slotVectors;
      table[REGION_DEADLINE_NS] = deadlineNs;
      for (int peer = 0; peer < RANKS; peer++) table[REGION_PEERS + peer] = reinterpret_cast<u64>(memory[peer].data());
    }
  }
};

struct Emulation {
  std::mt19937 random{1};
  int differences = 0;
  static constexpr u64 PATIENT_NS = 600'000'000'000;
  Regions oneShot{RANKS, MAX_ROWS * HIDDEN / 8, Halves::SENTINEL, PATIENT_NS};
  Regions twoShot{2 * RANKS, (MAX_ROWS * HIDDEN / 8 + RANKS - 1) / RANKS, Halves::SENTINEL, PATIENT_NS};
  Regions gather{RANKS, 16 * GATHER_COLUMNS / 4, Words::SENTINEL, PATIENT_NS};
  Regions tokens{1, 8, Words::SENTINEL, PATIENT_NS};

  int below(int count) { return static_cast<int>(random() % count); }
  void check(bool isRight, const char* what) {
    if (!isRight && differences++ < 5) std::printf("%s differs\n", what);
  }
  static bool same(u16 a, u16 b) {
    const auto isNan = [](u16 bits) { return (bits & 0x7fff) > 0x7c00; };
    return a == b || (isNan(a) && isNan(b));
  }

  // -0, subnormals, infinities and the largest number among others.
  u16 odd_half() {
    static const u16 special[] = {0x8000, 0, 1, 0x8001, 0x7c00, 0xfc00, 0x03ff, 0x83ff, 0x7bff, 0xfbff};
    return below(4) == 0 ? special[below(10)] : float_to_act((below(2001) - 1000) / 137.f);
  }
  u16 plain_half() { return float_to_act((below(201) - 100) / 67.f); }

  static Halves16 sums_of(const std::vector<Halves16>& parts) {
    Halves16 sums(parts[0].size());
    for (size_t i = 0; i < sums.size(); i++) {
      float sum = 0.f;
      for (int rank = 0; rank < RANKS; rank++) {
        const float value = act_to_float(parts[rank][i] == 0x8000 ? u16{0} : parts[rank][i]);
        sum = rank == 0 ? value : sum + value;
      }
      const u16 bits = float_to_act(sum);
      sums[i] = bits == 0x8000 ? u16{0} : bits;
    }
    return sums;
  }

  void sum_round(int rows) {
    const int vectors = rows * HIDDEN / 8, chunk = (vectors + RANKS - 1) / RANKS;
    std::vector<Halves16> parts(RANKS, Halves16(rows * HIDDEN));
    for (Halves16& part : parts)
      for (u16& value : part) value = odd_half();
    const Halves16 expected = sums_of(parts);
    std::vector<Halves16> one = parts, two = parts;
    on_all([&](int rank) {
      const int blocks = (vectors + THREADS - 1) / THREADS;
      run_grid<AllReduceArgs>(rank, blocks, all_reduce_one_shot, {oneShot.tables[rank], one[rank].data(), vectors});
    });
    on_all([&](int rank) {
      run_grid<TwoShotArgs>(rank, 2, all_reduce_two_shot, {twoShot.tables[rank], two[rank].data(), vectors, chunk});
    });
    for (int rank = 0; rank < RANKS; rank++) {
      for (size_t i = 0; i < expected.size(); i++) check(same(one[rank][i], expected[i]), "a sum in one shot");
      check(one[rank] == one[0], "a sum in one shot on another rank");
      check(two[rank] == one[0], "a sum in two shots");
    }
  }

  void norm_round(int rows) {
    std::vector<Halves16> parts(RANKS, Halves16(rows * HIDDEN)), outs(RANKS, Halves16(rows * HIDDEN));
    Halves16 before(rows * HIDDEN), weight(HIDDEN);
    for (Halves16& part : parts)
      for (u16& value : part) value = plain_half();
    for (u16& value : before) value = plain_half();
    for (u16& value : weight) value = plain_half();
    std::vector<Halves16> residuals(RANKS, before);
    on_all([&](int rank) {
      run_grid<ReduceNormArgs>(
          rank, rows, reduce_add_rms_norm,
          {oneShot.tables[rank], parts[rank].data(), residuals[rank].data(), weight.data(), outs[rank].data(), 1e-5f});
    });
    const Halves16 sums = sums_of(parts);
    for (int row = 0; row < rows; row++) {
      double squares = 0;
      for (int i = row * HIDDEN; i < (row + 1) * HIDDEN; i++) {
        check(residuals[0][i] == float_to_act(act_to_float(before[i]) + act_to_float(sums[i])), "a residual");
        squares += act_to_float(residuals[0][i]) * act_to_float(residuals[0][i]);
      }
      const double inverse = 1 / std::sqrt(squares / HIDDEN + 1e-5);
      for (int i = row * HIDDEN; i < (row + 1) * HIDDEN; i++) {
        const double expected = act_to_float(residuals[0][i]) * inverse * act_to_float(weight[i % HIDDEN]);
        check(std::fabs(act_to_float(outs[0][i]) - expected) < 2e-3 * (1 + std::fabs(expected)), "a norm");
      }
    }
    for (int rank = 1; rank < RANKS; rank++)
      check(outs[rank] == outs[0] && residuals[rank] == residuals[0], "a norm on another rank");
  }

  void gather_round() {
    const int rows = 1 + below(16), outColumns = GATHER_COLUMNS * RANKS - below(5);
    std::vector<std::vector<float>> parts(RANKS, std::vector<float>(rows * GATHER_COLUMNS + 4));
    std::vector<std::vector<float>> outs(RANKS, std::vector<float>(rows * outColumns, 7777.f));
    for (auto& part : parts)
      for (float& value : part) value = below(5) == 0 ? -0.f : below(1000) - 500.f;
    on_all([&](int rank) {
      run_grid<AllGatherArgs>(
          rank, 2, all_gather,
          {gather.tables[rank], parts[rank].data(), outs[rank].data(), rows, GATHER_COLUMNS, outColumns});
    });
    for (const auto& out : outs)
      for (int row = 0; row < rows; row++)
        for (int column = 0; column < outColumns; column++) {
          const int at = row * GATHER_COLUMNS + column % GATHER_COLUMNS;
          check(out[row * outColumns + column] == parts[column / GATHER_COLUMNS][at], "a gathered number");
        }
  }

  void token_round() {
    const int logits = 1 + below(29);
    std::vector<int> sampled(32), rowSlots(32), logitRows(32), targets(32);
    for (int i = 0; i < 32; i++) {
      sampled[i] = below(30000);
      rowSlots[i] = i < logits - 1 ? 31 - i : -1;  // the last row has no slot
      logitRows[i] = i;
      targets[i] = below(3) == 0 ? 5 : -1;
    }
    std::vector<std::vector<int>> last(RANKS, std::vector<int>(32, -7));
    on_all([&](int rank) {
      if (rank == 0) return run_grid<ShareTokensArgs>(0, 1, share_tokens, {tokens.tables[0], sampled.data(), logits});
      run_grid<TakeTokensArgs>(
          rank, 1, take_tokens,
          {tokens.tables[rank], last[rank].data(), rowSlots.data(), logitRows.data(), targets.data(), logits});
    });
    for (int rank = 1; rank < RANKS; rank++)
      for (int i = 0; i < logits; i++) {
        const bool isTaken = targets[i] < 0 && rowSlots[i] >= 0;
        check(last[rank][31 - i] == (isTaken ? sampled[i] : -7), "a token");
      }
  }

  void late_round() {
    Regions late(RANKS, HIDDEN / 8, Halves::SENTINEL, 20'000'000);
    Halves16 x(HIDDEN);
    const int vectors = HIDDEN / 8;
    run_grid<AllReduceArgs>(0, (vectors + THREADS - 1) / THREADS, all_reduce_one_shot,
                            {late.tables[0], x.data(), vectors});
    check(late.signals[0][SIGNAL_LATE] > 1, "the number of a rank that did not come");
    Regions stopped(RANKS, HIDDEN / 8, Halves::SENTINEL, PATIENT_NS);
    stopped.signals[0][SIGNAL_STOP] = 1;
    run_grid<AllReduceArgs>(0, (vectors + THREADS - 1) / THREADS, all_reduce_one_shot,
                            {stopped.tables[0], x.data(), vectors});
    check(stopped.signals[0][SIGNAL_LATE] == 0, "a wait that the host ended");
  }
};

int main() {
  auto emulation = std::make_unique<Emulation>();
  for (int round = 0; round < ROUNDS; round++) {
    const int rows = round % 5 == 0 ? MAX_ROWS : 1 + emulation->below(MAX_ROWS);
    emulation->sum_round(rows);
    emulation->norm_round(1 + emulation->below(MAX_ROWS));
    emulation->gather_round();
    emulation->token_round();
  }
  emulation->late_round();
  std::printf("%d differences\n", emulation->differences);
  return emulation->differences == 0 ? 0 : 1;
}
