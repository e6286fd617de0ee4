// The bridge: routes every envelope to the session of its user, opens sessions on
// first contact and closes them at "/leave", feeds the crisis tracker, and answers.
//
// Invariants: at most one session a user; a session's history holds the user's
// messages and the assistant's replies in order, at most 2 * window of them (a
// window of W means W turns: a message and its reply); crisis states outlive
// sessions.

#ifndef WORKLOADS_SESSION_BRIDGE_H_
#define WORKLOADS_SESSION_BRIDGE_H_

#include <cstddef>
#include <cstdint>

#include "workloads/common/account.h"
#include "workloads/common/leaks.h"
#include "workloads/common/random.h"
#include "workloads/session/crisis.h"
#include "workloads/session/history.h"
#include "workloads/session/message.h"

namespace workloads::session {

struct SessionObject {
  static constexpr const char* kName = "session_objects";
};
struct SessionTable {
  static constexpr const char* kName = "session_table";
};

struct Session {
  Session(UserId user_id, double now, size_t window, LeakSite* evicted_leak)
      : user(user_id), opened(now), history(2 * window, evicted_leak) {}

  UserId user;
  double opened;
  double last_active = 0;
  int64_t received = 0;
  HistoryWindow history;
};

// The places where the bridge can leak.
struct BridgeLeaks {
  LeakSite evicted_message{"evicted-message", LeakKind::kLost,
                           "the text of a message that leaves its window"};
  LeakSite dropped_session{"dropped-session", LeakKind::kChain,
                           "texts of the history of a session that closes, linked"};
  LeakSite routing_log{"routing-log", LeakKind::kGrowing,
                       "an audit entry with the content of a routed message"};
};

class Bridge {
 public:
  enum class Routed { kOpened, kDelivered, kClosed, kIgnored };

  // REQUIRES: window > 0; `leaks` outlives this.
  Bridge(size_t window, uint64_t seed, BridgeLeaks* leaks)
      : window_(window), seed_(seed), leaks_(leaks) {}

  // kIgnored: a user without a session leaves.
  Routed Route(const Envelope& envelope);

  // Null when the user has no session.
  const Session* Find(UserId user) const;
  size_t sessions() const { return sessions_.size(); }

  // Tracks a user who is only watched (has no session).
  void Watch(UserId user, double time, std::string_view content) {
    crisis_.Of(user).Observe(time, content);
  }
  const CrisisTable& crisis() const { return crisis_; }

  // Sums over the open sessions.
  int64_t StoredMessages() const;
  int64_t StoredPayload() const;

  // Forgets crisis states and the table of sessions. REQUIRES: sessions() == 0.
  void Shutdown();

  int64_t routed() const { return routed_; }
  int64_t evicted() const { return evicted_; }

 private:
  void Close(UserId user);
  Text<MessageText> Reply(const Session& session, const CrisisState& state) const;

  size_t window_;
  uint64_t seed_;
  BridgeLeaks* leaks_;
  int64_t routed_ = 0;
  int64_t evicted_ = 0;  // of sessions that have closed
  HashMap<UserId, Owned<Session, SessionObject>, SessionTable> sessions_;
  CrisisTable crisis_;
};

}  // namespace workloads::session

#endif  // WORKLOADS_SESSION_BRIDGE_H_
