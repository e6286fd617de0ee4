// A chunk of code as the store keeps it: where it is, what it is called, what it
// says of itself and what it needs.
//
// The generator makes chunk number i of a project, always the same for the same
// seed; a second version of it (an edited function) shares id, path and name.

#ifndef WORKLOADS_CHUNK_STORE_CHUNK_H_
#define WORKLOADS_CHUNK_STORE_CHUNK_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "workloads/common/account.h"
#include "workloads/common/random.h"

namespace workloads::chunks {

struct ChunkTexts {
  static constexpr const char* kName = "chunk_texts";
};
struct ChunkLists {
  static constexpr const char* kName = "chunk_lists";
};
struct ChunkObjects {
  static constexpr const char* kName = "chunk_objects";
};
struct ChunkList {
  static constexpr const char* kName = "generated_list";
};

using String = Text<ChunkTexts>;
using Metadata = Array<std::pair<String, String>, ChunkLists>;

struct Chunk {
  String id;
  String path;
  String name;
  String signature;
  String docstring;
  Array<String, ChunkLists> dependencies;
  Metadata metadata;
  int64_t first_line = 0;
  int64_t last_line = 0;

  friend bool operator==(const Chunk&, const Chunk&) = default;

  // The content alone: characters, without objects and lists.
  int64_t PayloadBytes() const;
};

// Chunks are immutable once made, and shared between the one who made them and a
// store that keeps them in memory.
using ChunkRef = std::shared_ptr<const Chunk>;

ChunkRef Share(Chunk chunk);

class Project {
 public:
  explicit Project(uint64_t seed) : random_(seed) {}

  // Version 0 is the first one.
  Chunk Make(uint64_t number, uint64_t version) const;
  // The id of Make(number, …), without the rest.
  String Id(uint64_t number) const;

 private:
  String Path(uint64_t number) const;
  String Name(uint64_t number) const;

  Random random_;
};

}  // namespace workloads::chunks

#endif  // WORKLOADS_CHUNK_STORE_CHUNK_H_
