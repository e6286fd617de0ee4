// What travels through the bridge (envelopes) and what a session keeps (messages).

#ifndef WORKLOADS_SESSION_MESSAGE_H_
#define WORKLOADS_SESSION_MESSAGE_H_

#include <cstdint>
#include <string_view>

#include "workloads/common/account.h"

namespace workloads::session {

struct EnvelopeText {
  static constexpr const char* kName = "envelope_text";
};
struct MessageText {
  static constexpr const char* kName = "message_text";
};

enum class Role : uint8_t { kUser, kAssistant };

// A user of the platform: who wrote, and so whose session it is.
using UserId = uint64_t;

// In transit. One with the content "/leave" ends its user's session.
struct Envelope {
  UserId user = 0;
  double time = 0;  // seconds since 1970
  Text<EnvelopeText> room;
  Text<EnvelopeText> content;

  friend bool operator==(const Envelope&, const Envelope&) = default;
};

inline constexpr std::string_view kLeave = "/leave";

// Kept in a history window.
struct Message {
  Role role = Role::kUser;
  double timestamp = 0;
  Text<MessageText> content;
  Text<MessageText> room;

  int64_t PayloadBytes() const {
    return static_cast<int64_t>(content.size() + room.size());
  }
};

}  // namespace workloads::session

#endif  // WORKLOADS_SESSION_MESSAGE_H_
