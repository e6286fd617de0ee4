// The store in memory: a hash table of shared chunks, with indexes by name and
// path.
//
// Invariants: a key of the table is a view of the id of the chunk beside it; a
// chunk is in exactly one list of each index.

#ifndef WORKLOADS_CHUNK_STORE_MEMORY_STORE_H_
#define WORKLOADS_CHUNK_STORE_MEMORY_STORE_H_

#include <functional>

#include "workloads/chunk_store/store.h"

namespace workloads::chunks {

struct StoreTable {
  static constexpr const char* kName = "store_table";
};
struct StoreIndexes {
  static constexpr const char* kName = "store_indexes";
};

class MemoryStore : public Store {
 public:
  bool Put(const ChunkRef& chunk) override;
  bool Get(std::string_view id, Chunk* chunk) override;
  bool Remove(std::string_view id) override;
  bool Use(std::string_view id, double now) override;
  bool GetActivation(std::string_view id, Activation* activation) override;
  Ids FindByName(std::string_view name) override { return Find(by_name_, name); }
  Ids FindByPath(std::string_view path) override { return Find(by_path_, path); }
  Ranking MostActive(size_t count, double now) override;
  int64_t size() override { return static_cast<int64_t>(table_.size()); }
  bool Close() override;

 private:
  struct Entry {
    ChunkRef chunk;
    Activation activation;
  };
  struct HashText {
    using is_transparent = void;
    size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using Key = Text<StoreIndexes>;
  using Index = HashMap<Key, Array<const Chunk*, StoreIndexes>, StoreIndexes,
                        HashText, std::equal_to<>>;

  static Ids Find(const Index& index, std::string_view key);
  static void AddTo(Index* index, std::string_view key, const Chunk* chunk);
  static void DropFrom(Index* index, std::string_view key, const Chunk* chunk);
  void Link(const Chunk& chunk);
  void Unlink(const Chunk& chunk);

  HashMap<std::string_view, Entry, StoreTable> table_;
  Index by_name_;
  Index by_path_;
};

}  // namespace workloads::chunks

#endif  // WORKLOADS_CHUNK_STORE_MEMORY_STORE_H_
