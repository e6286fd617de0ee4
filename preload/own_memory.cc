#include "preload/own_memory.h"

#include <atomic>
#include <cstdint>

#include "preload/may_call.h"
#include "preload/sys.h"

namespace mallogram {
namespace {

constexpr size_t kAlignment = 64;
// Larger pieces have a mapping of their own, in huge pages if they are very large.
constexpr size_t kLarge = 512 << 10;
constexpr size_t kFirstReserve = 1 << 20, kMostReserve = 64 << 20;

// At the start of its mapping.
struct alignas(kAlignment) Reserve {
  size_t bytes;  // all of it
  std::atomic<size_t> used;
};

std::atomic<Reserve*> g_reserve;

size_t RoundUp(size_t bytes) {
  return (bytes + kAlignment - 1) & ~(kAlignment - 1);
}

void* Cut(size_t bytes) {
  Reserve* const reserve = g_reserve.load(std::memory_order_acquire);
  if (reserve == nullptr) return nullptr;
  // Looked at first, so that the sum can't run away.
  size_t used = reserve->used.load(std::memory_order_relaxed);
  do {
    if (bytes > reserve->bytes - used) return nullptr;
  } while (!reserve->used.compare_exchange_weak(used, used + bytes,
                                                std::memory_order_relaxed));
  return reinterpret_cast<char*>(reserve) + used;
}

// Whether the piece is a mapping of its own: those alone begin a page.
bool IsMapping(const void* p, size_t bytes) {
  return bytes >= kLarge && reinterpret_cast<uintptr_t>(p) % sys::kPageBytes == 0;
}

}  // namespace

bool ReserveMemory(size_t bytes) {
  auto* const reserve = static_cast<Reserve*>(sys::MapPrivate(bytes));
  if (reserve == nullptr) return false;
  reserve->bytes = bytes;
  reserve->used.store(sizeof(Reserve), std::memory_order_relaxed);
  // What is left of the old one is left.
  g_reserve.store(reserve, std::memory_order_release);
  return true;
}

void* TakeMemory(size_t bytes) {
  bytes = RoundUp(bytes);
  if (bytes >= kLarge && MayCall()) return sys::MapTable(bytes);
  for (;;) {
    void* const p = Cut(bytes);
    if (p != nullptr) return p;
    if (!MayCall()) return nullptr;
    // Twice as much as before; two threads at once waste one.
    const Reserve* const old = g_reserve.load(std::memory_order_acquire);
    size_t more = old == nullptr ? kFirstReserve : 2 * old->bytes;
    if (more > kMostReserve) more = kMostReserve;
    while (more < bytes + sizeof(Reserve)) more *= 2;
    if (!ReserveMemory(more)) return nullptr;
  }
}

void GiveMemory(void* p, size_t bytes) {
  bytes = RoundUp(bytes);
  if (IsMapping(p, bytes) && MayCall()) sys::Unmap(p, bytes);
}

}  // namespace mallogram
