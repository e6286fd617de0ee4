#include "workloads/chunk_store/memory_store.h"

#include <algorithm>
#include <utility>

namespace workloads::chunks {

void Consider(Ranked candidate, size_t count, Ranking* ranking) {
  // The worst of the kept ones is on top of the heap: operator< puts best first.
  if (ranking->size() == count) {
    if (count == 0 || !(candidate < ranking->front())) return;
    std::pop_heap(ranking->begin(), ranking->end());
    ranking->pop_back();
  }
  ranking->push_back(std::move(candidate));
  std::push_heap(ranking->begin(), ranking->end());
}

void MemoryStore::AddTo(Index* index, std::string_view key, const Chunk* chunk) {
  (*index)[Key(key)].push_back(chunk);
}

void MemoryStore::DropFrom(Index* index, std::string_view key, const Chunk* chunk) {
  const auto found = index->find(key);
  auto& list = found->second;
  list.erase(std::find(list.begin(), list.end(), chunk));
  if (list.empty()) index->erase(found);
}

void MemoryStore::Link(const Chunk& chunk) {
  AddTo(&by_name_, chunk.name, &chunk);
  AddTo(&by_path_, chunk.path, &chunk);
}

void MemoryStore::Unlink(const Chunk& chunk) {
  DropFrom(&by_name_, chunk.name, &chunk);
  DropFrom(&by_path_, chunk.path, &chunk);
}

bool MemoryStore::Put(const ChunkRef& chunk) {
  Activation activation;
  const auto found = table_.find(chunk->id);
  if (found != table_.end()) {
    activation = found->second.activation;
    Unlink(*found->second.chunk);
    // The key is a view of the old chunk's id, so the node goes with it.
    table_.erase(found);
  }
  table_.emplace(chunk->id, Entry{chunk, activation});
  Link(*chunk);
  return true;
}

bool MemoryStore::Get(std::string_view id, Chunk* chunk) {
  const auto found = table_.find(id);
  if (found == table_.end()) return false;
  *chunk = *found->second.chunk;
  return true;
}

bool MemoryStore::Remove(std::string_view id) {
  const auto found = table_.find(id);
  if (found == table_.end()) return false;
  Unlink(*found->second.chunk);
  table_.erase(found);
  return true;
}

bool MemoryStore::Use(std::string_view id, double now) {
  const auto found = table_.find(id);
  if (found == table_.end()) return false;
  found->second.activation.Use(now);
  return true;
}

bool MemoryStore::GetActivation(std::string_view id, Activation* activation) {
  const auto found = table_.find(id);
  if (found == table_.end()) return false;
  *activation = found->second.activation;
  return true;
}

Ids MemoryStore::Find(const Index& index, std::string_view key) {
  Ids ids;
  const auto found = index.find(key);
  if (found == index.end()) return ids;
  ids.reserve(found->second.size());
  for (const Chunk* chunk : found->second) {
    ids.emplace_back(std::string_view(chunk->id));
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Ranking MemoryStore::MostActive(size_t count, double now) {
  Ranking ranking;
  for (const auto& [id, entry] : table_) {
    Consider({entry.activation.LevelAt(now), Text<Results>(id)}, count, &ranking);
  }
  std::sort_heap(ranking.begin(), ranking.end());
  return ranking;
}

bool MemoryStore::Close() {
  // Swapped with empty ones: clear() would keep the buckets.
  decltype(table_)().swap(table_);
  Index().swap(by_name_);
  Index().swap(by_path_);
  return true;
}

}  // namespace workloads::chunks
