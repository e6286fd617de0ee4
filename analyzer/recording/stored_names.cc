#include "analyzer/recording/stored_names.h"

namespace mallogram {

void StoredNames::Add(NamesChunk chunk) {
  const auto number = static_cast<uint32_t>(chunks_.size());
  for (uint32_t i = 0; i < chunk.locations.size(); ++i) {
    // A location has a frame; one without would be damage that a checksum missed.
    const StoredLocation& location = chunk.locations[i];
    if (!location.frames.empty())
      location_[{location.module, location.offset}] = {number, i};
  }
  for (uint32_t i = 0; i < chunk.variables.size(); ++i) {
    const StoredVariable& variable = chunk.variables[i];
    variable_[{variable.module, variable.address}] = {number, i};
  }
  chunks_.push_back(std::move(chunk));
}

StoredNames::Found<StoredLocation> StoredNames::FindLocation(
    uint32_t module, uint64_t offset) const {
  const auto at = location_.find(std::pair(module, offset));
  if (at == location_.end()) return {};
  const NamesChunk& chunk = chunks_[at->second.first];
  return {&chunk.locations[at->second.second], &chunk.strings};
}

StoredNames::Found<StoredVariable> StoredNames::FindVariable(
    uint32_t module, uint64_t address) const {
  const auto at = variable_.find(std::pair(module, address));
  if (at == variable_.end()) return {};
  const NamesChunk& chunk = chunks_[at->second.first];
  return {&chunk.variables[at->second.second], &chunk.strings};
}

// Few modules, one function: no map.
StoredNames::Found<StoredReturned> StoredNames::FindReturned(
    uint32_t module, absl::string_view function) const {
  for (const NamesChunk& chunk : chunks_) {
    for (const StoredReturned& returned : chunk.returned) {
      if (returned.module == module && chunk.strings[returned.function] == function)
        return {&returned, &chunk.strings};
    }
  }
  return {};
}

std::vector<std::string> StoredNames::Notes() const {
  std::vector<std::string> notes;
  for (const NamesChunk& chunk : chunks_) {
    for (const uint32_t note : chunk.notes) notes.push_back(chunk.strings[note]);
  }
  return notes;
}

}  // namespace mallogram
