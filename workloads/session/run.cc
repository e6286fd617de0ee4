#include "workloads/session/run.h"

#include <memory>
#include <string_view>

#include "workloads/common/random.h"
#include "workloads/session/transport.h"

namespace workloads::session {
namespace {

constexpr double kStart = 1.76e9;  // when the traffic begins, seconds since 1970
constexpr size_t kInboxCapacity = 64;

// Writes what user `user` says as the `turn`-th message.
class Traffic {
 public:
  explicit Traffic(const Config& config)
      : users_(static_cast<uint64_t>(config.sessions)),
        random_(static_cast<uint64_t>(config.seed)) {}

  // The same Envelope object for all keeps its buffers.
  void Write(UserId user, uint64_t turn, Envelope* envelope) const {
    Random random = random_.Split(user * 1000003 + turn);
    envelope->user = user;
    envelope->time = kStart + 30.0 * static_cast<double>(turn * users_ + user);
    envelope->room = "support/room-";
    envelope->room += std::to_string(user % 7 + 100);
    Say(random, &envelope->content);
  }

  void Leave(UserId user, Envelope* envelope) const {
    envelope->user = user;
    envelope->content = kLeave;
  }

 private:
  static void Say(Random& random, Text<EnvelopeText>* content) {
    content->clear();
    const size_t wanted = 60 + random.Below(440);
    while (content->size() < wanted) {
      *content += AnyWord(random);
      *content += random.Chance(0.08) ? ", " : " ";
    }
    if (random.Chance(0.1)) {
      *content += "I feel ";
      *content += kLexicon[random.Below(kLexicon.size())].phrase;
    }
  }

  uint64_t users_;
  Random random_;
};

void Drain(Transport& transport, Bridge& bridge, Envelope* scratch) {
  while (transport.Receive(scratch)) bridge.Route(*scratch);
}

// Sends, receiving whenever the transport is full; false when it broke.
bool Deliver(const Envelope& envelope, Transport& transport, Bridge& bridge,
             Envelope* scratch) {
  while (!transport.Send(envelope)) {
    if (!transport.error().empty()) return false;
    Drain(transport, bridge, scratch);
  }
  return true;
}

void TakeTruth(const Config& config, const Bridge& bridge, Entities& entities,
               Json& json) {
  const int64_t stored = bridge.StoredMessages();
  const int64_t payload = bridge.StoredPayload();
  const auto sessions = static_cast<int64_t>(bridge.sessions());
  const auto states = static_cast<int64_t>(bridge.crisis().size());
  entities.Take(account_of<MessageText>, stored, payload);
  entities.Take(account_of<HistorySlots>, stored,
                stored * static_cast<int64_t>(sizeof(Message)));
  entities.Take(account_of<SessionObject>, sessions,
                sessions * static_cast<int64_t>(sizeof(Session)));
  entities.Take(account_of<SessionTable>, sessions, 0);
  entities.Take(account_of<CrisisTableNodes>, states,
                states * static_cast<int64_t>(sizeof(CrisisState)));
  entities.Take(account_of<TransportObject>, 1, 0);
  entities.Take(account_of<InboxSlots>, 0, 0);
  entities.Take(account_of<EnvelopeText>, 0, 0);
  entities.Take(account_of<WireBuffer>, 0, 0);

  const auto live = [](const Account& account) {
    return account.balance().live_bytes;
  };
  const int64_t messages =
      live(account_of<MessageText>) + live(account_of<HistorySlots>);
  const int64_t session_bytes =
      messages + live(account_of<SessionObject>) + live(account_of<SessionTable>);
  json.Integer("sessions", sessions);
  json.Integer("configured_window", config.window);
  json.Integer("stored_messages", stored);
  if (sessions > 0) {
    const double each =
        static_cast<double>(session_bytes) / static_cast<double>(sessions);
    json.Integer("actual_messages_per_session", stored / sessions);
    json.Real("per_session_bytes", each);
    json.Real("sessions_per_gb", 1e9 / each);
    json.Real("per_message_bytes",
              static_cast<double>(messages) / static_cast<double>(stored));
  }
  json.Integer("crisis_states", states);
  if (states > 0) {
    json.Real("crisis_state_bytes",
              static_cast<double>(live(account_of<CrisisTableNodes>)) /
                  static_cast<double>(states));
  }
}

}  // namespace

std::string Run(const Config& config, BridgeLeaks* leaks, Phases& phases,
                Entities& entities, Json& json) {
  phases.Mark("baseline");
  std::string error;
  std::unique_ptr<Transport> transport;
  if (config.transport == "socket") {
    transport = LocalSocket::Open(&error);
    if (transport == nullptr) return error;
  } else {
    transport = std::make_unique<Inbox>(kInboxCapacity);
  }
  Bridge bridge(static_cast<size_t>(config.window),
                static_cast<uint64_t>(config.seed), leaks);
  const Traffic traffic(config);
  const auto users = static_cast<UserId>(config.sessions);
  phases.Mark("ready");

  // Users without a session get the numbers above those with one.
  {
    Envelope said;
    for (UserId i = 0; i < static_cast<UserId>(config.crisis_states); ++i) {
      traffic.Write(users + i, 0, &said);
      bridge.Watch(said.user, said.time, said.content);
    }
  }
  phases.Mark("watched");

  {
    Envelope out;
    Envelope in;
    bool well = true;
    for (uint64_t turn = 0; turn < static_cast<uint64_t>(config.messages); ++turn) {
      for (UserId user = 0; user < users && well; ++user) {
        traffic.Write(user, turn, &out);
        well = Deliver(out, *transport, bridge, &in);
      }
    }
    if (well) Drain(*transport, bridge, &in);
    if (!well) return transport->error();
  }
  phases.Mark("filled");
  TakeTruth(config, bridge, entities, json);

  {
    Envelope out;
    Envelope in;
    bool well = true;
    for (UserId user = 0; user < users && well; ++user) {
      traffic.Leave(user, &out);
      well = Deliver(out, *transport, bridge, &in);
    }
    if (well) Drain(*transport, bridge, &in);
    if (!well) return transport->error();
  }
  phases.Mark("left");
  if (bridge.sessions() != 0) return "a session survived its user's leave";
  json.Integer("routed", bridge.routed());
  json.Integer("evicted_messages", bridge.evicted());
  bridge.Shutdown();
  transport.reset();
  phases.Mark("end");
  return "";
}

}  // namespace workloads::session
