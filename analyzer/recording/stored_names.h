// The names that a recording carries itself (preload/trace/names.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "preload/trace/names.h"

namespace mallogram {

class StoredNames {
 public:
  void Add(NamesChunk chunk);
  bool empty() const { return chunks_.empty(); }
  size_t locations() const { return location_.size(); }

  // A record, and what its numbers mean; `record` nullptr: not stored.
  template <typename Record>
  struct Found {
    const Record* record = nullptr;
    const std::vector<std::string>* strings = nullptr;
    const std::string& Text(uint32_t number) const { return (*strings)[number]; }
  };
  Found<StoredLocation> FindLocation(uint32_t module, uint64_t offset) const;
  Found<StoredVariable> FindVariable(uint32_t module, uint64_t address) const;
  Found<StoredReturned> FindReturned(uint32_t module,
                                     absl::string_view function) const;
  std::vector<std::string> Notes() const;

 private:
  using Place = std::pair<uint32_t, uint32_t>;  // chunk, record
  std::vector<NamesChunk> chunks_;
  absl::flat_hash_map<std::pair<uint32_t, uint64_t>, Place> location_, variable_;
};

}  // namespace mallogram
