// chunk-store: a store of code chunks, in memory or in SQLite.
//
// Re-creates the system of the seed report 001, "AURORA Phase 1 Memory Profiling
// Report", and serves its tests:
//   Test 1, 10K chunks        --chunks 10000 (generated, stored, overhead in the
//   truth) Test 2, SQLite store      --chunks 10000 --store sqlite Test 3,
//   per-chunk cost    --chunks 1000 (entities: texts, lists, objects, tables) Test
//   4, linearity         --chunks 1000, 2000, 5000, 10000 Test 5, cleanup --chunks
//   5000 (phases baseline … closed, residual_bytes) Projections --chunks 50000,
//   64000, 100000 are quick enough to measure

#include "workloads/chunk_store/run.h"
#include "workloads/common/app.h"

int main(int argc, char** argv) {
  using namespace workloads;
  chunks::Config config;
  Flags flags;
  flags.Count("chunks", &config.chunks, 1, 100'000'000, "Chunks to store");
  flags.Choice("store", &config.store, {"memory", "sqlite"}, "What keeps them");
  flags.Count("operations", &config.operations, 0, 1'000'000'000,
              "Uses, searches and edits once all are stored");
  flags.Count("cache-kib", &config.cache_kib, 1, 10'000'000,
              "SQLite's page cache, in KiB");
  flags.Path("database", &config.database,
             "SQLite's file, created and kept (default: a temporary one)");
  chunks::RunLeaks leaks;
  LeakPlan plan(
      {&leaks.fetched_chunk, &leaks.replaced_chunk, &leaks.activation_log});
  return AppMain({"chunk-store", "A store of code chunks, in memory or in SQLite.",
                  &flags, &plan, &config.seed,
                  [&](Phases& phases, Entities& entities, Json& json) {
                    return chunks::Run(config, &leaks, phases, entities, json);
                  }},
                 argc, argv);
}
