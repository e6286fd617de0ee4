// The chunk store: SQLite and memory answer alike, lists survive their columns.

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>

#include "tests/workloads/run_check.h"
#include "workloads/chunk_store/memory_store.h"
#include "workloads/chunk_store/run.h"
#include "workloads/chunk_store/sqlite_store.h"
#include "workloads/common/random.h"

namespace workloads::chunks {
namespace {

// A database file that goes with the test.
class TestDatabase {
 public:
  TestDatabase() {
    std::string name = testing::TempDir() + "/chunks-XXXXXX";
    const int file = mkstemp(name.data());
    EXPECT_GE(file, 0);
    close(file);
    path_ = name;
  }
  ~TestDatabase() {
    for (const char* suffix : {"", "-wal", "-shm"})
      unlink((path_ + suffix).c_str());
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

String RandomString(Random& random, size_t size) {
  String text;
  for (size_t i = 0; i < size; ++i) text += static_cast<char>(random.Below(256));
  return text;
}

TEST(Columns, GoRoundTrip) {
  Random random(1);
  Array<String, ChunkLists> list, list_back;
  Metadata metadata, metadata_back;
  for (size_t size = 0; size <= 300; ++size) {
    list.push_back(RandomString(random, size));
    metadata.emplace_back(RandomString(random, size),
                          RandomString(random, 300 - size));
    if (size % 50 != 0) continue;
    ASSERT_TRUE(DecodeList(EncodeList(list), &list_back));
    ASSERT_EQ(list_back, list);
    ASSERT_TRUE(DecodeMetadata(EncodeMetadata(metadata), &metadata_back));
    ASSERT_EQ(metadata_back, metadata);
  }
  const Blob bytes = EncodeList({String("abc"), String("defg")});
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const bool whole = cut == 0 || cut == 7 || cut == bytes.size();
    EXPECT_EQ(DecodeList(std::string_view(bytes).substr(0, cut), &list_back),
              whole);
  }
}

TEST(Project, RepeatsAndSharesNames) {
  const Project project(1);
  std::map<std::string, int> names;
  for (uint64_t i = 0; i < 2000; ++i) {
    const Chunk chunk = project.Make(i, 0);
    ASSERT_EQ(chunk, project.Make(i, 0));
    ASSERT_EQ(chunk.id, project.Id(i));
    const Chunk edited = project.Make(i, 1);
    ASSERT_EQ(edited.id, chunk.id);
    ASSERT_NE(edited, chunk);
    ++names[std::string(std::string_view(chunk.name))];
  }
  EXPECT_LT(names.size(), 2000u);
  EXPECT_GT(names.size(), 500u);
}

// The same operations on both, every answer compared.
void Compare(Store& a, Store& b, int operations, uint64_t seed) {
  const Project project(3);
  Random random(seed);
  for (int i = 0; i < operations; ++i) {
    const uint64_t number = random.Below(60);
    const String id = project.Id(number);
    const double now = 1000.0 + 17.0 * i;
    switch (random.Below(7)) {
      case 0:
      case 1: {
        Chunk chunk = project.Make(number, random.Below(5));
        // Some edits move a chunk to another file and rename it; any bytes will do.
        if (random.Chance(0.3)) {
          chunk.path = project.Make(random.Below(60), 0).path;
          chunk.name = random.Chance(0.3) ? String() : RandomString(random, 5);
          chunk.docstring = RandomString(random, random.Below(300));
        }
        const ChunkRef shared = Share(chunk);
        ASSERT_EQ(a.Put(shared), b.Put(shared));
        break;
      }
      case 2:
        ASSERT_EQ(a.Use(id, now), b.Use(id, now));
        break;
      case 3: {
        Chunk in_a, in_b;
        const bool found = a.Get(id, &in_a);
        ASSERT_EQ(found, b.Get(id, &in_b));
        ASSERT_EQ(in_a, in_b);
        ASSERT_EQ(a.FindByName(in_a.name), b.FindByName(in_b.name));
        ASSERT_EQ(a.FindByPath(in_a.path), b.FindByPath(in_b.path));
        if (found) {
          ASSERT_FALSE(a.FindByName(in_a.name).empty());
        }
        break;
      }
      case 4: {
        Activation in_a, in_b;
        ASSERT_EQ(a.GetActivation(id, &in_a), b.GetActivation(id, &in_b));
        ASSERT_EQ(in_a, in_b);
        break;
      }
      case 5: {
        const size_t most = random.Below(9);
        ASSERT_EQ(a.MostActive(most, now), b.MostActive(most, now));
      } break;
      default:
        if (random.Chance(0.4)) {
          ASSERT_EQ(a.Remove(id), b.Remove(id));
        }
    }
    ASSERT_EQ(a.size(), b.size());
    ASSERT_EQ(a.error() + b.error(), "");
  }
}

TEST(Stores, AnswerAlike) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    TestDatabase database;
    std::string error;
    const std::unique_ptr<SqliteStore> sqlite =
        SqliteStore::Open(database.path(), 64, &error);
    ASSERT_NE(sqlite, nullptr) << error;
    EXPECT_EQ(sqlite->journal_mode(), "wal");
    MemoryStore memory;
    Compare(memory, *sqlite, 1500, seed);
    EXPECT_TRUE(sqlite->Flush());
    EXPECT_EQ(access((database.path() + "-wal").c_str(), F_OK), 0);
    EXPECT_TRUE(sqlite->Close());
    EXPECT_EQ(account_of<Sqlite>.balance().live_bytes, 0);
  }
}

TEST(SqliteStore, KeepsItsCacheBounded) {
  const Project project(1);
  int64_t live[2];
  for (int large = 0; large < 2; ++large) {
    TestDatabase database;
    std::string error;
    const auto store = SqliteStore::Open(database.path(), 128, &error);
    ASSERT_NE(store, nullptr) << error;
    for (uint64_t i = 0; i < (large == 1 ? 4000u : 800u); ++i) {
      ASSERT_TRUE(store->Put(Share(project.Make(i, 0))));
    }
    ASSERT_TRUE(store->Flush());
    live[large] = account_of<Sqlite>.balance().live_bytes;
  }
  EXPECT_LT(live[1], live[0] * 5 / 4);
  EXPECT_GT(live[0], 128 * 1024);
}

TEST(SqliteStore, SaysWhatIsWrong) {
  std::string error;
  EXPECT_EQ(SqliteStore::Open("/no/such/directory/chunks.db", 64, &error), nullptr);
  EXPECT_NE(error.find("SQLite"), std::string::npos);
  TestDatabase database;
  const auto first = SqliteStore::Open(database.path(), 64, &error);
  ASSERT_NE(first, nullptr);
  EXPECT_TRUE(first->Close());
  // The tables are there already.
  EXPECT_EQ(SqliteStore::Open(database.path(), 64, &error), nullptr);
  EXPECT_EQ(error.find('\n'), std::string::npos);
}

TEST(Activation, HalvesEveryHour) {
  Activation activation;
  activation.Use(0);
  activation.Use(Activation::kHalfLifeSeconds);
  EXPECT_DOUBLE_EQ(activation.level, 1.5);
  EXPECT_DOUBLE_EQ(activation.LevelAt(3 * Activation::kHalfLifeSeconds), 0.375);
  EXPECT_EQ(activation.uses, 2);
}

Config SmallConfig(const char* store) {
  Config config;
  config.chunks = 200;
  config.operations = 400;
  config.store = store;
  return config;
}

RunFunction RunOf(const Config& config, RunLeaks* leaks) {
  return [config, leaks](Phases& phases, Entities& entities, Json& json) {
    return Run(config, leaks, phases, entities, json);
  };
}

TEST(ChunkRun, LeavesNothingAndRepeats) {
  for (const char* store : {"memory", "sqlite"}) {
    RunLeaks leaks;
    ExpectClean(RunOf(SmallConfig(store), &leaks));
    const std::string truth = RunOnce(RunOf(SmallConfig(store), &leaks)).truth;
    EXPECT_EQ(RunOnce(RunOf(SmallConfig(store), &leaks)).truth, truth);
    EXPECT_NE(truth.find("\"residual_bytes\": 0,"), std::string::npos);
  }
}

TEST(ChunkRun, CountsItsLeaks) {
  for (const char* store : {"memory", "sqlite"}) {
    for (const char* rate : {"1", "0.21"}) {
      RunLeaks leaks;
      ExpectLeak(RunOf(SmallConfig(store), &leaks), &leaks.fetched_chunk, rate);
      RunLeaks more;
      ExpectLeak(RunOf(SmallConfig(store), &more), &more.replaced_chunk, rate);
      RunLeaks most;
      ExpectLeak(RunOf(SmallConfig(store), &most), &most.activation_log, rate);
    }
  }
}

}  // namespace
}  // namespace workloads::chunks
