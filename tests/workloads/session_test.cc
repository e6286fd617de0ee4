// The session workload: windows, routing against a naive model, the wire, crises.

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/workloads/run_check.h"
#include "workloads/common/random.h"
#include "workloads/session/bridge.h"
#include "workloads/session/run.h"
#include "workloads/session/transport.h"

namespace workloads::session {
namespace {

Envelope EnvelopeOf(UserId user, double time, std::string_view content) {
  Envelope envelope;
  envelope.user = user;
  envelope.time = time;
  envelope.room = "a room with a name";
  envelope.content = content;
  return envelope;
}

TEST(HistoryWindow, KeepsTheLastOnes) {
  LeakSite site("site", LeakKind::kLost, "");
  for (size_t capacity : {1, 2, 3, 7, 8, 9, 40}) {
    HistoryWindow history(capacity, &site);
    for (size_t i = 0; i < 100; ++i) {
      history.Append({Role::kUser, static_cast<double>(i),
                      Text<MessageText>(i, 'x'), Text<MessageText>()});
      const size_t size = std::min(i + 1, capacity);
      ASSERT_EQ(history.size(), size);
      for (size_t k = 0; k < size; ++k) {
        ASSERT_EQ(history[k].timestamp, static_cast<double>(i + 1 - size + k));
        ASSERT_EQ(history[k].content.size(), i + 1 - size + k);
      }
    }
    EXPECT_EQ(history.evicted(), static_cast<int64_t>(100 - capacity));
  }
}

TEST(Bridge, RoutesLikeANaiveModel) {
  constexpr size_t kWindow = 3;
  BridgeLeaks leaks;
  Bridge bridge(kWindow, 1, &leaks);
  std::map<UserId, std::deque<std::string>> model;
  Random random(5);
  for (int i = 0; i < 5000; ++i) {
    const UserId user = random.Below(20);
    const double time = i * 10.0;
    const bool known = model.count(user) > 0;
    if (random.Chance(0.05)) {
      EXPECT_EQ(bridge.Route(EnvelopeOf(user, time, kLeave)),
                known ? Bridge::Routed::kClosed : Bridge::Routed::kIgnored);
      model.erase(user);
    } else {
      const std::string content = "message " + std::to_string(i);
      EXPECT_EQ(bridge.Route(EnvelopeOf(user, time, content)),
                known ? Bridge::Routed::kDelivered : Bridge::Routed::kOpened);
      model[user].push_back(content);
      if (model[user].size() > kWindow) model[user].pop_front();
    }
    ASSERT_EQ(bridge.sessions(), model.size());
    for (const auto& [id, said] : model) {
      const Session* session = bridge.Find(id);
      ASSERT_NE(session, nullptr);
      ASSERT_EQ(session->history.size(), said.size() * 2);
      for (size_t k = 0; k < said.size(); ++k) {
        ASSERT_EQ(std::string_view(session->history[2 * k].content), said[k]);
        ASSERT_EQ(session->history[2 * k].role, Role::kUser);
        ASSERT_EQ(session->history[2 * k + 1].role, Role::kAssistant);
        ASSERT_EQ(session->history[2 * k + 1].room, "a room with a name");
      }
    }
  }
  EXPECT_EQ(bridge.routed(), 5000);
}

TEST(Crisis, RisesAtOnceAndFallsSlowly) {
  CrisisState state;
  state.Observe(0, "all is well");
  EXPECT_EQ(state.level(), CrisisLevel::kCalm);
  state.Observe(10, "I feel hopeless, there is no way out");
  EXPECT_EQ(state.level(), CrisisLevel::kElevated);
  EXPECT_EQ(state.count(Trigger::kHopelessness), 2u);
  EXPECT_NEAR(state.ScoreAt(10 + kHalfLifeSeconds), 1.8, 1e-6);
  state.Observe(20, "I could hurt myself");
  EXPECT_EQ(state.level(), CrisisLevel::kAcute);
  // Calm words right after do not end the alarm, and later only step by step.
  state.Observe(30, "better now");
  EXPECT_EQ(state.level(), CrisisLevel::kAcute);
  state.Observe(30 + 10 * kHalfLifeSeconds, "good morning");
  EXPECT_EQ(state.level(), CrisisLevel::kElevated);
  state.Observe(40 + 10 * kHalfLifeSeconds, "good morning");
  EXPECT_EQ(state.level(), CrisisLevel::kElevated);
  EXPECT_GT(state.peak_score(), 8);
}

TEST(Wire, CutsAnyPiecesIntoFrames) {
  Random random(3);
  std::vector<Envelope> sent;
  Bytes stream;
  for (size_t size = 0; size <= 300; ++size) {
    Envelope envelope = EnvelopeOf(random.Next(), static_cast<double>(size), "");
    envelope.room.assign(size % 31, 'r');
    for (size_t i = 0; i < size; ++i) {
      envelope.content += static_cast<char>(random.Below(256));
    }
    AppendFrame(envelope, &stream);
    sent.push_back(envelope);
  }
  for (size_t most : {1, 2, 23, 24, 25, 1000, 1000000}) {
    FrameReader reader;
    std::vector<Envelope> received;
    Envelope envelope;
    std::string_view left(stream.data(), stream.size());
    while (!left.empty()) {
      const size_t part = std::min(left.size(), 1 + random.Below(most));
      reader.Feed(left.substr(0, part));
      left.remove_prefix(part);
      while (reader.Next(&envelope)) received.push_back(envelope);
    }
    EXPECT_FALSE(reader.broken());
    EXPECT_EQ(received, sent);
  }
}

TEST(Wire, RefusesNonsense) {
  Envelope envelope;
  FrameReader huge;
  huge.Feed(std::string_view("\xff\xff\xff\x7f and more", 13));
  EXPECT_FALSE(huge.Next(&envelope));
  EXPECT_TRUE(huge.broken());
  Bytes bytes;
  AppendFrame(EnvelopeOf(1, 2, "x"), &bytes);
  bytes[20] = 100;  // the room is larger than its frame
  FrameReader room;
  room.Feed({bytes.data(), bytes.size()});
  EXPECT_FALSE(room.Next(&envelope));
  EXPECT_TRUE(room.broken());
}

void SendAndReceive(Transport& transport, bool must_fill) {
  Random random(4);
  std::deque<Envelope> underway;
  bool was_full = false;
  Envelope received;
  for (int i = 0; i < 3000; ++i) {
    const Envelope envelope =
        EnvelopeOf(static_cast<UserId>(i), i, std::string(random.Below(2000), 'x'));
    while (!transport.Send(envelope)) {
      was_full = true;
      ASSERT_TRUE(transport.Receive(&received));
      ASSERT_EQ(received, underway.front());
      underway.pop_front();
    }
    underway.push_back(envelope);
  }
  while (!underway.empty()) {
    ASSERT_TRUE(transport.Receive(&received));
    ASSERT_EQ(received, underway.front());
    underway.pop_front();
  }
  EXPECT_FALSE(transport.Receive(&received));
  EXPECT_EQ(was_full, must_fill);
  EXPECT_EQ(transport.error(), "");
}

TEST(Transports, KeepOrderAndBounds) {
  Inbox inbox(16);
  SendAndReceive(inbox, true);
  std::string error;
  const std::unique_ptr<LocalSocket> socket = LocalSocket::Open(&error);
  ASSERT_NE(socket, nullptr) << error;
  SendAndReceive(*socket, true);
}

RunFunction RunOf(const Config& config, BridgeLeaks* leaks) {
  return [config, leaks](Phases& phases, Entities& entities, Json& json) {
    return Run(config, leaks, phases, entities, json);
  };
}

Config SmallConfig() {
  Config config;
  config.sessions = 9;
  config.messages = 30;
  config.window = 10;
  config.crisis_states = 50;
  return config;
}

TEST(SessionRun, LeavesNothingAndRepeats) {
  Config config = SmallConfig();
  std::vector<std::string> truths;
  for (const char* transport : {"queue", "socket", "queue"}) {
    config.transport = transport;
    BridgeLeaks leaks;
    ExpectClean(RunOf(config, &leaks));
    truths.push_back(RunOnce(RunOf(config, &leaks)).truth);
  }
  EXPECT_EQ(truths[0], truths[2]);
  EXPECT_EQ(truths[0], truths[1]);
  EXPECT_NE(truths[0].find("\"actual_messages_per_session\": 20,"),
            std::string::npos);
  EXPECT_NE(truths[0].find("\"stored_messages\": 180,"), std::string::npos);
  EXPECT_NE(truths[0].find("\"evicted_messages\": 360"), std::string::npos);
  EXPECT_NE(truths[0].find("\"crisis_states\": 59,"), std::string::npos);
  config.seed = 2;
  BridgeLeaks leaks;
  EXPECT_NE(RunOnce(RunOf(config, &leaks)).truth, truths[0]);
}

TEST(SessionRun, CountsItsLeaks) {
  for (const char* rate : {"1", "0.37"}) {
    BridgeLeaks leaks;
    ExpectLeak(RunOf(SmallConfig(), &leaks), &leaks.evicted_message, rate);
  }
  for (const char* rate : {"1", "0.37"}) {
    BridgeLeaks leaks;
    ExpectLeak(RunOf(SmallConfig(), &leaks), &leaks.dropped_session, rate);
  }
  for (const char* rate : {"1", "0.37"}) {
    BridgeLeaks leaks;
    ExpectLeak(RunOf(SmallConfig(), &leaks), &leaks.routing_log, rate);
  }
}

}  // namespace
}  // namespace workloads::session
