#include "workloads/session/bridge.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string_view>
#include <utility>

namespace workloads::session {

Text<MessageText> Bridge::Reply(const Session& session,
                                const CrisisState& state) const {
  constexpr std::array<std::string_view, 4> kOpenings = {
      "Thank you for telling me. ", "I hear you. ", "That sounds hard. ",
      "You are not alone with this; someone is here right now. "};
  Text<MessageText> reply;
  reply += kOpenings[static_cast<size_t>(state.level())];
  // A stream of its own for every reply: what one session is told does not depend
  // on the traffic of the others.
  Random random = Random(seed_).Split(Random::Mix(session.user) +
                                      static_cast<uint64_t>(session.received));
  const size_t wanted = 80 + random.Below(400);
  while (reply.size() < wanted) {
    reply += AnyWord(random);
    reply += ' ';
  }
  // Kept as long as the session: without the growth reserve.
  return Text<MessageText>(std::string_view(reply));
}

Bridge::Routed Bridge::Route(const Envelope& envelope) {
  ++routed_;
  if (leaks_->routing_log.Due()) leaks_->routing_log.Leak(envelope.content);
  if (envelope.content == kLeave) {
    if (Find(envelope.user) == nullptr) return Routed::kIgnored;
    Close(envelope.user);
    return Routed::kClosed;
  }

  const auto [entry, opened] = sessions_.try_emplace(envelope.user);
  if (opened) {
    entry->second = Make<Session, SessionObject>(envelope.user, envelope.time,
                                                 window_, &leaks_->evicted_message);
  }
  Session& session = *entry->second;
  CrisisState& state = crisis_.Of(envelope.user);
  state.Observe(envelope.time, envelope.content);
  ++session.received;
  session.last_active = envelope.time;
  const auto keep = [&](Role role, double time, std::string_view content) {
    session.history.Append({role, time, Text<MessageText>(content),
                            Text<MessageText>(std::string_view(envelope.room))});
  };
  keep(Role::kUser, envelope.time, envelope.content);
  keep(Role::kAssistant, envelope.time + 0.8, Reply(session, state));
  return opened ? Routed::kOpened : Routed::kDelivered;
}

const Session* Bridge::Find(UserId user) const {
  const auto found = sessions_.find(user);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void Bridge::Close(UserId user) {
  const auto found = sessions_.find(user);
  const HistoryWindow& history = found->second->history;
  evicted_ += history.evicted();
  if (leaks_->dropped_session.Due()) {
    std::array<std::string_view, 16> texts;
    const size_t count = std::min(texts.size(), history.size());
    for (size_t i = 0; i < count; ++i) texts[i] = history[i].content;
    leaks_->dropped_session.LeakChain(texts.data(), count);
  }
  sessions_.erase(found);
}

int64_t Bridge::StoredMessages() const {
  int64_t stored = 0;
  for (const auto& [user, session] : sessions_) {
    stored += static_cast<int64_t>(session->history.size());
  }
  return stored;
}

int64_t Bridge::StoredPayload() const {
  int64_t payload = 0;
  for (const auto& [user, session] : sessions_) {
    for (size_t i = 0; i < session->history.size(); ++i) {
      payload += session->history[i].PayloadBytes();
    }
  }
  return payload;
}

void Bridge::Shutdown() {
  assert(sessions_.empty());
  decltype(sessions_)().swap(sessions_);
  crisis_.Clear();
}

}  // namespace workloads::session
