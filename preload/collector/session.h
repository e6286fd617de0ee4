// One traced process as the collector sees it: its image, its heap model, its
// file. Knows nothing of sockets, processes' ends or other sessions (collector.cc
// does).
//
// Single-threaded; the thread that calls Open must stay alive as long as the
// session, since the program watches its liveness (ImageHeader.collector_alive).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "preload/collector/leaks/scan_process.h"
#include "preload/image.h"
#include "preload/trace/leaks.h"
#include "preload/trace/summary.h"

namespace mallogram {

struct SessionOptions {
  std::string path;          // file to create (0600); must not exist
  std::string allocator;     // RunInfo.allocator
  std::string parent_trace;  // RunInfo.parent_trace
  pid_t parent = -1;         // RunInfo.ppid; -1: as the process says
  int compression_level = 1;
};

class Session {
 public:
  // Maps and checks the image (hostile sizes, other versions), marks the
  // collector alive, creates the file and writes its first chunks. Takes
  // ownership of image_fd whatever the result. `pid` as this process sees it.
  static absl::StatusOr<std::unique_ptr<Session>> Open(
      int image_fd, pid_t pid, const SessionOptions& options);
  virtual ~Session() = default;

  // One round: takes what the rings hold, in order, and gives the room back.
  // Returns the number of records taken. Cheap when there is nothing.
  virtual uint64_t Drain() = 0;

  // Housekeeping, to be called at least every 10 ms while the process lives:
  // samples RSS, frees rings of dead threads, writes what has waited longer than
  // half a second to the file.
  virtual void Tick(uint64_t now_monotonic_ns) = 0;

  // True if some ring holds records now; for the sleep/wake handshake.
  virtual bool HasWork() const = 0;
  // True if the program runs under a filter: it can neither ring nor wait, so it is
  // to be looked at often.
  virtual bool CannotSleep() const = 0;
  // For the doorbell (see ImageHeader): set/clear collector_sleeps, the futex.
  virtual ImageHeader* header() = 0;

  // The process is gone (or has replaced itself by exec): takes the last
  // records, writes summary and index, closes the file. `peak_rss_bytes` 0: use
  // what was sampled.
  virtual absl::Status Finish(EndReason reason, int64_t detail,
                              uint64_t peak_rss_bytes) = 0;

  // ---- leak checks (leak_checks.h) ----

  virtual LeakCheckMode leak_check() const = 0;
  // True if the program asks for something that nobody has taken up.
  virtual bool HasRequest() const = 0;
  // Our number of the thread that calls itself `tid`; 0: there is none.
  virtual pid_t ThreadHere(int32_t tid) = 0;
  // Takes all records that there are, for a process that stands still. `ended`: it
  // writes no more, so nothing is waited for.
  virtual void CatchUp(bool ended) = 0;
  // What a scan needs of the session; good until the next record is taken.
  virtual void Describe(ScanRequest* request) = 0;
  // While another thread scans with that: no record is taken, nothing is written.
  virtual void Freeze(bool frozen) = 0;
  virtual void CountLive(uint64_t* blocks, uint64_t* bytes) const = 0;
  // All blocks alive, unless there are more than `most`.
  virtual void CopyLive(uint64_t most,
                        std::vector<InheritedBlock>* blocks) const = 0;
  // In the trace's time.
  virtual uint64_t NowNs() const = 0;
  virtual uint64_t event_count() const = 0;
  // Writes it behind all that came before, to the file; its index there.
  virtual uint32_t WriteLeakCheck(const LeakCheck& check) = 0;

  // When memory has run out, and Finish would only run out of it again: writes what
  // waits, if that can be done.
  virtual void Salvage() = 0;

  // Before Finish: what is to be said with how it ended (Summary.detail_text).
  virtual void AddWords(const std::string& words) = 0;

  // After Finish.
  virtual const Summary& summary() const = 0;
  virtual const std::string& path() const = 0;
  virtual pid_t pid() const = 0;

  // The file cannot be written any more (disk full): set once, recording goes on
  // discarding, so that the program never stalls. Empty: no trouble.
  virtual const std::string& trouble() const = 0;
};

}  // namespace mallogram
