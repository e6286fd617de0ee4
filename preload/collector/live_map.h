// Address → slot of the blocks alive: how a free finds its allocation.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"

namespace mallogram {

class LiveMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // Where the slot of `address` is to be stored; nullptr if the address is live.
  // Valid until the next call.
  uint32_t* Insert(uint64_t address) {
    const auto [it, inserted] = map_.try_emplace(address, kNone);
    return inserted ? &it->second : nullptr;
  }
  // kNone: not live.
  uint32_t Find(uint64_t address) const {
    const auto it = map_.find(address);
    return it == map_.end() ? kNone : it->second;
  }
  // Removes the address; its slot, or kNone if it is not live.
  uint32_t Take(uint64_t address) {
    const auto it = map_.find(address);
    if (it == map_.end()) return kNone;
    const uint32_t slot = it->second;
    map_.erase(it);
    return slot;
  }
  bool Contains(uint64_t address) const { return map_.contains(address); }
  void Prefetch(uint64_t address) const { map_.prefetch(address); }
  size_t size() const { return map_.size(); }

 private:
  absl::flat_hash_map<uint64_t, uint32_t> map_;
};

}  // namespace mallogram
