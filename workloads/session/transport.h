// How envelopes get to the bridge: an in-process queue or a local socket.
//
// Both are bounded, keep the order, and are driven from one thread: Send() says
// "full" instead of blocking, and the caller then receives for a while.

#ifndef WORKLOADS_SESSION_TRANSPORT_H_
#define WORKLOADS_SESSION_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "workloads/common/account.h"
#include "workloads/session/message.h"

namespace workloads::session {

struct InboxSlots {
  static constexpr const char* kName = "inbox_slots";
};
struct TransportObject {
  static constexpr const char* kName = "transport_object";
};
struct WireBuffer {
  static constexpr const char* kName = "wire_buffers";
};

class Transport : public Accounted<TransportObject> {
 public:
  virtual ~Transport() = default;
  // False: full, nothing was taken; receive first.
  virtual bool Send(const Envelope& envelope) = 0;
  // False: nothing has arrived (yet).
  virtual bool Receive(Envelope* envelope) = 0;
  // What broke; empty while all is well.
  virtual std::string error() const { return ""; }
};

// A ring of slots; the texts of a slot keep their buffers for the next envelope.
class Inbox : public Transport {
 public:
  explicit Inbox(size_t capacity) : slots_(capacity) {}  // REQUIRES: capacity > 0

  bool Send(const Envelope& envelope) override;
  bool Receive(Envelope* envelope) override;
  size_t size() const { return size_; }

 private:
  Array<Envelope, InboxSlots> slots_;
  size_t first_ = 0;
  size_t size_ = 0;
};

// Frames of the socket: u32 size of what follows, u64 user, f64 time, u32 size of
// the room, room, content; all in the machine's order, since both ends are on it.
inline constexpr size_t kFrameHead = 4 + 8 + 8 + 4;
inline constexpr size_t kMaxFrame = 1 << 20;

using Bytes = Array<char, WireBuffer>;

void AppendFrame(const Envelope& envelope, Bytes* out);

// Cuts a stream of bytes, arriving in any pieces, into envelopes.
class FrameReader {
 public:
  void Feed(std::string_view piece);
  // False: no whole frame yet, or broken().
  bool Next(Envelope* envelope);
  // The stream is not ours; stays so.
  bool broken() const { return broken_; }

 private:
  Bytes pending_;
  size_t consumed_ = 0;
  bool broken_ = false;
};

// A stream socket on this machine (AF_UNIX, an abstract address that the kernel
// picks), both ends in this process.
class LocalSocket : public Transport {
 public:
  // Null and *error when the system refuses.
  static std::unique_ptr<LocalSocket> Open(std::string* error);
  ~LocalSocket() override;

  bool Send(const Envelope& envelope) override;
  bool Receive(Envelope* envelope) override;
  std::string error() const override { return error_; }

 private:
  LocalSocket(int client, int server) : client_(client), server_(server) {}
  void Flush();

  int client_;
  int server_;
  Bytes unsent_;
  size_t sent_ = 0;
  FrameReader reader_;
  std::string error_;
};

}  // namespace workloads::session

#endif  // WORKLOADS_SESSION_TRANSPORT_H_
