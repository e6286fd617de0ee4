// The agents: the Bayes filter against the textbook one, three representations of a
// belief with one meaning, histories that read back what was appended.

#include "workloads/agent/agent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/workloads/run_check.h"
#include "workloads/agent/lazy_belief.h"
#include "workloads/agent/run.h"

namespace workloads::agent {
namespace {

std::vector<double> All(const Belief& belief, const Prior& prior) {
  std::vector<double> scratch(prior.cells);
  std::vector<double> all;
  for (size_t context = 0; context < prior.contexts; ++context) {
    const double* row = belief.Row(context, scratch.data());
    for (size_t cell = 0; cell < prior.cells; ++cell) {
      all.push_back(row == nullptr ? 0 : row[cell]);
    }
  }
  return all;
}

TEST(Transitions, AreProbabilitiesOfMoves) {
  const Grid grid(5);
  const TransitionModel model(grid, 1);
  for (size_t a = 0; a < kActions; ++a) {
    const auto action = static_cast<Action>(a);
    for (size_t from = 0; from < grid.cells(); ++from) {
      double sum = 0;
      for (size_t to = 0; to < grid.cells(); ++to) {
        const double p = model.Probability(action, from, to);
        EXPECT_GE(p, 0);
        if (p > 0) {
          EXPECT_LE(grid.Distance(from, to), 1u);
        }
        sum += p;
      }
      EXPECT_NEAR(sum, 1, 1e-12);
      EXPECT_GE(model.Probability(action, from, grid.Move(from, action)), 0.7);
    }
  }
}

TEST(Transitions, DrawFollowsTheMatrix) {
  const Grid grid(3);
  const TransitionModel model(grid, 2);
  Random random(1);
  std::vector<int> hits(grid.cells());
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) ++hits[model.Draw(Action::kNorth, 1, random)];
  for (size_t to = 0; to < grid.cells(); ++to) {
    EXPECT_NEAR(hits[to] / double{kDraws}, model.Probability(Action::kNorth, 1, to),
                0.015);
  }
}

// The filter as it stands in the books: full matrices, no rows, no tricks.
std::vector<double> TextbookStep(const TransitionModel& model, const Prior& prior,
                                 const std::vector<double>& now, Action action,
                                 uint8_t seen) {
  std::vector<double> next(now.size());
  double total = 0;
  for (size_t context = 0; context < prior.contexts; ++context) {
    for (size_t to = 0; to < prior.cells; ++to) {
      double p = 0;
      for (size_t from = 0; from < prior.cells; ++from) {
        p +=
            model.Probability(action, from, to) * now[context * prior.cells + from];
      }
      p *= SeenGiven(seen, ColourOf(context, to));
      next[context * prior.cells + to] = p;
      total += p;
    }
  }
  for (double& p : next) p /= total;
  return next;
}

TEST(Filter, AgreesWithTheTextbook) {
  const Grid grid(6);
  const TransitionModel model(grid, 3);
  for (const char* kind : {"dense", "sparse", "lazy"}) {
    const Prior prior = {24, grid.cells(), 0.5};
    const auto belief = MakeBelief(kind, prior);
    std::vector<double> expected = All(*belief, prior);
    Scratch scratch(grid.cells(), 1);
    std::vector<double> marginal(grid.cells());
    Random random(7);
    for (int step = 0; step < 60; ++step) {
      const auto action = static_cast<Action>(random.Below(kActions));
      const auto seen = static_cast<uint8_t>(random.Below(kColours));
      expected = TextbookStep(model, prior, expected, action, seen);
      ASSERT_GT(FilterStep(model, prior.contexts, prior.cells, action, seen, 0,
                           belief.get(), &scratch, marginal.data()),
                0);
      const std::vector<double> got = All(*belief, prior);
      double sum = 0;
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], expected[i], 1e-12) << kind << " step " << step;
        sum += got[i];
      }
      ASSERT_NEAR(sum, 1, 1e-9);
      for (size_t cell = 0; cell < grid.cells(); ++cell) {
        double over_contexts = 0;
        for (size_t c = 0; c < prior.contexts; ++c) {
          over_contexts += expected[c * grid.cells() + cell];
        }
        ASSERT_NEAR(marginal[cell], over_contexts, 1e-12);
      }
    }
  }
}

TEST(Beliefs, AgreeToTheLastBit) {
  const Grid grid(7);
  const TransitionModel model(grid, 4);
  for (double sparsity : {0.0, 0.3, 0.9, 1.0}) {
    for (double prune : {0.0, 1e-4}) {
      const Prior prior = {40, grid.cells(), sparsity};
      const auto dense = MakeBelief("dense", prior);
      const auto sparse = MakeBelief("sparse", prior);
      const auto lazy = MakeBelief("lazy", prior);
      ASSERT_EQ(All(*dense, prior), All(*sparse, prior));
      ASSERT_EQ(All(*dense, prior), All(*lazy, prior));
      Scratch scratch(grid.cells(), 1);
      std::vector<double> marginals[3];
      Random random(9);
      for (int step = 0; step < 40; ++step) {
        const auto action = static_cast<Action>(random.Below(kActions));
        const auto seen = static_cast<uint8_t>(random.Below(kColours));
        size_t which = 0;
        for (Belief* belief : {dense.get(), sparse.get(), lazy.get()}) {
          marginals[which].resize(grid.cells());
          FilterStep(model, prior.contexts, prior.cells, action, seen, prune,
                     belief, &scratch, marginals[which++].data());
        }
        ASSERT_EQ(All(*dense, prior), All(*sparse, prior));
        ASSERT_EQ(All(*dense, prior), All(*lazy, prior));
        ASSERT_EQ(marginals[0], marginals[1]);
        ASSERT_EQ(marginals[0], marginals[2]);
      }
      EXPECT_EQ(dense->kept(), static_cast<int64_t>(prior.contexts * prior.cells));
      EXPECT_LE(sparse->kept(), dense->kept());
    }
  }
}

TEST(Beliefs, CostWhatTheyShould) {
  const Prior prior = {1000, 64, 0.99};
  const auto bytes = [] { return account_of<Beliefs>.balance().live_bytes; };
  const int64_t before = bytes();
  const auto lazy = MakeBelief("lazy", prior);
  EXPECT_LT(bytes() - before, 256);  // nothing but the object
  const int64_t without_dense = bytes();
  const auto dense = MakeBelief("dense", prior);
  EXPECT_NEAR(bytes() - without_dense, 1000 * 64 * 8, 256);
  const int64_t without_sparse = bytes();
  const auto sparse = MakeBelief("sparse", prior);
  EXPECT_NEAR(bytes() - without_sparse, 10 * 64 * 16, 256);
}

TEST(Prior, SpreadsThePossibleContexts) {
  for (size_t contexts : {1, 2, 7, 100, 22189}) {
    for (double sparsity : {0.0, 0.5, 0.9, 1.0}) {
      const Prior prior = {contexts, 4, sparsity};
      size_t possible = 0;
      for (size_t c = 0; c < contexts; ++c) possible += prior.Possible(c) ? 1 : 0;
      EXPECT_EQ(possible, prior.PossibleContexts());
      EXPECT_GE(possible, 1u);
    }
  }
}

TEST(Histories, ReadBackWhatWasAppended) {
  for (size_t policies : {1, 5, 125}) {
    for (int count : {0, 1, 31, 32, 33, 64, 300}) {
      const auto unbounded = MakeHistory("unbounded", 1);
      const auto ring = MakeHistory("ring", 20);
      const auto zlib = MakeHistory("zlib", 1);
      Random random(policies);
      std::vector<Record> all;
      for (int i = 0; i < count; ++i) {
        Record record;
        record.step = static_cast<uint32_t>(i);
        record.action = static_cast<uint8_t>(random.Below(kActions));
        record.seen = static_cast<uint8_t>(random.Below(256));
        record.policies.resize(policies);
        for (float& p : record.policies) p = static_cast<float>(random.Real());
        all.push_back(record);
        for (History* history : {unbounded.get(), ring.get(), zlib.get()}) {
          history->Append(record);
        }
      }
      ASSERT_EQ(unbounded->size(), count);
      ASSERT_EQ(zlib->size(), count);
      ASSERT_EQ(ring->size(), std::min(count, 20));
      for (int i = 0; i < count; ++i) {
        ASSERT_EQ(unbounded->Read(i), all[static_cast<size_t>(i)]);
        ASSERT_EQ(zlib->Read(i), all[static_cast<size_t>(i)]);
      }
      for (int64_t i = 0; i < ring->size(); ++i) {
        ASSERT_EQ(ring->Read(i),
                  all[static_cast<size_t>(count - ring->size() + i)]);
      }
    }
  }
}

Config SmallConfig(const char* belief, const char* history) {
  Config config;
  config.agents = 3;
  config.steps = 40;
  config.each.side = 5;
  config.each.ring = 10;
  config.each.frames = 4;
  config.each.belief = belief;
  config.each.history = history;
  return config;
}

RunFunction RunOf(const Config& config, AgentLeaks* leaks) {
  return [config, leaks](Phases& phases, Entities& entities, Json& json) {
    return Run(config, leaks, phases, entities, json);
  };
}

// The line of the truth that starts with that key.
std::string Line(const std::string& truth, const std::string& key) {
  const size_t at = truth.find("\"" + key + "\"");
  return at == std::string::npos ? "" : truth.substr(at, truth.find('\n', at) - at);
}

TEST(AgentRun, LeavesNothingAndRepeats) {
  std::string paths;
  for (const char* belief : {"dense", "sparse", "lazy"}) {
    for (const char* history : {"unbounded", "ring", "zlib"}) {
      for (bool share : {false, true}) {
        Config config = SmallConfig(belief, history);
        config.share_transitions = share;
        AgentLeaks leaks;
        ExpectClean(RunOf(config, &leaks));
        const std::string truth = RunOnce(RunOf(config, &leaks)).truth;
        EXPECT_EQ(RunOnce(RunOf(config, &leaks)).truth, truth);
        // How memory is kept changes nothing in what the agents do.
        if (paths.empty()) paths = Line(truth, "paths_hash");
        EXPECT_EQ(Line(truth, "paths_hash"), paths);
        EXPECT_GT(paths.size(), 14u);
      }
    }
  }
}

TEST(AgentRun, FindsOutWhereItIs) {
  Config config = SmallConfig("dense", "ring");
  config.each.contexts = 4;
  config.steps = 400;
  AgentLeaks leaks;
  const std::string line =
      Line(RunOnce(RunOf(config, &leaks)).truth, "steps_located");
  // Guessing would be right in one of 25 cases.
  EXPECT_GT(std::stoi(line.substr(line.find(':') + 1)), 3 * 400 / 3);
}

TEST(AgentRun, DoesNotGrowWithARing) {
  for (const char* history : {"ring", "unbounded"}) {
    Config config = SmallConfig("dense", history);
    AgentLeaks leaks;
    Phases phases(false);
    Entities entities;
    Json json;
    ASSERT_EQ(RunOf(config, &leaks)(phases, entities, json), "");
    const int64_t growth =
        phases.At("full").live_bytes - phases.At("half").live_bytes;
    if (std::string(history) == "ring") {
      EXPECT_EQ(growth, 0);
    } else {
      EXPECT_GT(growth, 3 * 20 * 100);
    }
  }
}

TEST(AgentRun, CountsItsLeaks) {
  for (const char* rate : {"1", "0.13"}) {
    const Config config = SmallConfig("lazy", "zlib");
    AgentLeaks leaks;
    ExpectLeak(RunOf(config, &leaks), &leaks.belief_snapshot, rate);
    AgentLeaks more;
    ExpectLeak(RunOf(config, &more), &more.observation, rate);
    AgentLeaks most;
    ExpectLeak(RunOf(config, &most), &most.plan, rate);
  }
}

}  // namespace
}  // namespace workloads::agent
