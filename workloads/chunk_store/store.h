// What a chunk store does, whatever keeps the chunks: in memory (memory_store.h) or
// in an SQLite database (sqlite_store.h). Same operations, same answers.
//
// Activation: using a chunk adds 1 to its level, and levels halve every hour; what
// was used often and lately ranks first. REQUIRES of all callers: times do not
// fall.
//
// A store that fails (a full disk) says so in error(), which stays; its answers
// after that mean nothing.

#ifndef WORKLOADS_CHUNK_STORE_STORE_H_
#define WORKLOADS_CHUNK_STORE_STORE_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "workloads/chunk_store/chunk.h"
#include "workloads/common/account.h"

namespace workloads::chunks {

struct StoreObject {
  static constexpr const char* kName = "store_object";
};
struct Results {
  static constexpr const char* kName = "query_results";
};

struct Activation {
  double level = 0;
  double at = 0;
  int64_t uses = 0;

  static constexpr double kHalfLifeSeconds = 3600;

  double LevelAt(double now) const {
    return level == 0 ? 0 : level * std::exp2(-(now - at) / kHalfLifeSeconds);
  }
  void Use(double now) {
    level = LevelAt(now) + 1;
    at = now;
    ++uses;
  }
  friend bool operator==(const Activation&, const Activation&) = default;
};

struct Ranked {
  double level;
  Text<Results> id;

  // First the most active, then by id.
  friend bool operator<(const Ranked& a, const Ranked& b) {
    return a.level != b.level ? a.level > b.level : a.id < b.id;
  }
  friend bool operator==(const Ranked&, const Ranked&) = default;
};

using Ids = Array<Text<Results>, Results>;
using Ranking = Array<Ranked, Results>;

class Store : public Accounted<StoreObject> {
 public:
  virtual ~Store() = default;

  // Adds the chunk, or replaces the one with that id and keeps its activation.
  virtual bool Put(const ChunkRef& chunk) = 0;
  // False: no chunk of that id.
  virtual bool Get(std::string_view id, Chunk* chunk) = 0;
  virtual bool Remove(std::string_view id) = 0;
  virtual bool Use(std::string_view id, double now) = 0;
  virtual bool GetActivation(std::string_view id, Activation* activation) = 0;
  // Ids in ascending order.
  virtual Ids FindByName(std::string_view name) = 0;
  virtual Ids FindByPath(std::string_view path) = 0;
  // The `count` most active ones (fewer if there are fewer), best first.
  virtual Ranking MostActive(size_t count, double now) = 0;
  virtual int64_t size() = 0;

  // Makes everything so far durable, where that means something.
  virtual bool Flush() { return true; }
  // Gives back all memory. Nothing may be called after it but error().
  virtual bool Close() = 0;

  const std::string& error() const { return error_; }

 protected:
  std::string error_;
};

// Keeps `ranking` the best `count` of what it has seen; it is a heap until sorted.
void Consider(Ranked candidate, size_t count, Ranking* ranking);

}  // namespace workloads::chunks

#endif  // WORKLOADS_CHUNK_STORE_STORE_H_
