#include "workloads/chunk_store/run.h"

#include <errno.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "workloads/chunk_store/memory_store.h"
#include "workloads/chunk_store/sqlite_store.h"

namespace workloads::chunks {
namespace {

constexpr double kStart = 1.76e9;  // seconds since 1970

// A directory that goes, with the database in it, when this does.
class TemporaryDatabase {
 public:
  bool Make(std::string* error) {
    const char* parent = std::getenv("TMPDIR");
    directory_ =
        std::string(parent == nullptr ? "/tmp" : parent) + "/chunks-XXXXXX";
    if (mkdtemp(directory_.data()) != nullptr) return true;
    *error = "cannot make a directory " + directory_ + ": " + std::strerror(errno);
    directory_.clear();
    return false;
  }
  ~TemporaryDatabase() {
    if (directory_.empty()) return;
    for (const char* suffix : {"", "-wal", "-shm"})
      unlink((path() + suffix).c_str());
    rmdir(directory_.c_str());
  }
  std::string path() const { return directory_ + "/chunks.db"; }

 private:
  std::string directory_;
};

struct Tally {
  int64_t uses = 0, fetches = 0, searches = 0, edits = 0;
  int64_t found = 0;  // by the searches
};

// A day in the store's life, `operations` long: mostly uses, some searches and
// edits.
void Work(const Config& config, const Project& project, Store& store,
          RunLeaks* leaks, Tally* tally) {
  Random random(static_cast<uint64_t>(config.seed) + 77);
  const auto chunks = static_cast<uint64_t>(config.chunks);
  for (int64_t i = 0; i < config.operations && store.error().empty(); ++i) {
    const double now = kStart + 10.0 * static_cast<double>(i);
    const uint64_t number = random.Below(chunks);
    const String id = project.Id(number);
    const uint64_t kind = random.Below(10);
    if (kind < 5) {
      store.Use(id, now);
      if (leaks->activation_log.Due()) leaks->activation_log.Leak(id);
      ++tally->uses;
    } else if (kind < 7) {
      Chunk chunk;
      store.Get(id, &chunk);
      if (leaks->fetched_chunk.Due()) leaks->fetched_chunk.Leak(chunk.docstring);
      ++tally->fetches;
    } else if (kind < 9) {
      Chunk chunk;
      store.Get(id, &chunk);
      tally->found += static_cast<int64_t>(store.FindByName(chunk.name).size());
      tally->found += static_cast<int64_t>(store.FindByPath(chunk.path).size());
      ++tally->searches;
    } else {
      Chunk old;
      store.Get(id, &old);
      if (leaks->replaced_chunk.Due()) {
        leaks->replaced_chunk.LeakChain(
            {old.id, old.path, old.name, old.signature, old.docstring});
      }
      store.Put(Share(project.Make(number, static_cast<uint64_t>(i) + 1)));
      ++tally->edits;
    }
  }
  if (config.operations > 0 && store.error().empty()) {
    store.MostActive(10, kStart + 10.0 * static_cast<double>(config.operations));
  }
}

void TakeTruth(const Config& config, int64_t payload, Entities& entities) {
  const int64_t chunks = config.chunks;
  entities.Take(account_of<ChunkTexts>, chunks, payload);
  entities.Take(account_of<ChunkLists>, chunks, 0);
  entities.Take(account_of<ChunkObjects>, chunks,
                chunks * static_cast<int64_t>(sizeof(Chunk)));
  entities.Take(account_of<ChunkList>, chunks,
                chunks * static_cast<int64_t>(sizeof(ChunkRef)));
  entities.Take(account_of<StoreObject>, 1, 0);
  const int64_t in_memory = config.store == "memory" ? chunks : 0;
  entities.Take(account_of<StoreTable>, in_memory, 0);
  entities.Take(account_of<StoreIndexes>, in_memory, 0);
  entities.Take(account_of<Sqlite>, chunks - in_memory, 0);
  entities.Take(account_of<Encoded>, 0, 0);
  entities.Take(account_of<Results>, 0, 0);
}

}  // namespace

std::string Run(const Config& config, RunLeaks* leaks, Phases& phases,
                Entities& entities, Json& json) {
  phases.Mark("baseline");
  const Project project(static_cast<uint64_t>(config.seed));
  Array<ChunkRef, ChunkList> generated;
  int64_t payload = 0;
  generated.reserve(static_cast<size_t>(config.chunks));
  for (int64_t i = 0; i < config.chunks; ++i) {
    generated.push_back(Share(project.Make(static_cast<uint64_t>(i), 0)));
    payload += generated.back()->PayloadBytes();
  }
  phases.Mark("generated");

  std::string error;
  TemporaryDatabase temporary;
  std::unique_ptr<Store> store;
  if (config.store == "sqlite") {
    if (config.database.empty() && !temporary.Make(&error)) return error;
    store = SqliteStore::Open(
        config.database.empty() ? temporary.path() : config.database,
        config.cache_kib, &error);
    if (store == nullptr) return error;
  } else {
    store = std::make_unique<MemoryStore>();
  }
  for (const ChunkRef& chunk : generated) {
    if (!store->Put(chunk)) return store->error();
  }
  if (!store->Flush()) return store->error();
  phases.Mark("stored");
  TakeTruth(config, payload, entities);

  decltype(generated)().swap(generated);
  phases.Mark("kept");

  Tally tally;
  Work(config, project, *store, leaks, &tally);
  if (!store->Flush() || !store->error().empty()) return store->error();
  if (store->size() != config.chunks) return "the store lost chunks";
  phases.Mark("used");

  if (!store->Close()) return store->error();
  store.reset();
  phases.Mark("closed");
  phases.Mark("end");

  const auto live_at = [&phases](const char* phase) {
    return phases.At(phase).live_bytes - phases.At("baseline").live_bytes;
  };
  const int64_t full = live_at("stored");
  const int64_t residual = live_at("closed");
  json.Integer("chunks", config.chunks);
  json.Integer("payload_bytes", payload);
  json.Integer("generated_bytes", live_at("generated"));
  json.Integer("stored_bytes", full);
  json.Integer("store_overhead_bytes", full - live_at("generated"));
  json.Integer("kept_bytes", live_at("kept"));
  json.Integer("residual_bytes", residual);
  json.Real("residual_share",
            static_cast<double>(residual) / static_cast<double>(full));
  json.Real("per_chunk_bytes",
            static_cast<double>(full) / static_cast<double>(config.chunks));
  json.Integer("uses", tally.uses);
  json.Integer("fetches", tally.fetches);
  json.Integer("searches", tally.searches);
  json.Integer("search_hits", tally.found);
  json.Integer("edits", tally.edits);
  return "";
}

}  // namespace workloads::chunks
