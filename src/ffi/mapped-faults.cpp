// Pages of mapped files that are gone. Whoever truncates a file under a mapping makes every access behind its end a
// SIGBUS, which ends the process by default. Here such a page becomes a page of zeros, and its mapping counts it.
#include <atomic>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <sys/mman.h>

#define ALOFT_API extern "C" __attribute__((visibility("default")))

namespace {

constexpr int slotCount = 256;
constexpr uint64_t pageBytes = 4096;

// A handler may take no lock, so that each member is changed by itself: `end` last when a slot is taken, first when it
// is given back.
struct Mapping {
  std::atomic<uint64_t> begin{0};
  std::atomic<uint64_t> end{0};
  std::atomic<uint64_t> lostPages{0};
};

Mapping mappings[slotCount];
std::mutex installing;
bool isInstalled = false;
struct sigaction previous;

Mapping* mappingOf(uint64_t address) {
  for (Mapping& mapping : mappings)
    if (address < mapping.end.load() && address >= mapping.begin.load()) return &mapping;
  return nullptr;
}

void onBusError(int, siginfo_t* info, void*) {
  const uint64_t address = reinterpret_cast<uint64_t>(info->si_addr);
  Mapping* mapping = mappingOf(address);
  void* page = reinterpret_cast<void*>(address / pageBytes * pageBytes);
  constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  const bool isReplaced =
      mapping != nullptr && mmap(page, pageBytes, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED;
  if (isReplaced)
    mapping->lostPages++;
  else
    sigaction(SIGBUS, &previous, nullptr);  // not ours: the access comes again, and ends as it would have
}

void install() {
  const std::lock_guard lock(installing);
  if (isInstalled) return;
  struct sigaction action{};
  action.sa_sigaction = onBusError;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  isInstalled = sigaction(SIGBUS, &action, &previous) == 0;
}

}  // namespace

// Watches a mapping. Returns its slot, or -1 when all slots are taken: its faults then end the process.
ALOFT_API int aloft_mapping_watch(uint64_t address, uint64_t byteLength) {
  install();
  for (int slot = 0; slot < slotCount; slot++) {
    uint64_t free = 0;
    if (!mappings[slot].begin.compare_exchange_strong(free, address)) continue;
    mappings[slot].lostPages = 0;
    mappings[slot].end = address + byteLength;
    return slot;
  }
  return -1;
}

// Pages that were read and are gone.
ALOFT_API uint64_t aloft_mapping_lost_pages(int slot) { return mappings[slot].lostPages.load(); }

ALOFT_API void aloft_mapping_forget(int slot) {
  mappings[slot].end = 0;
  mappings[slot].begin = 0;
}
