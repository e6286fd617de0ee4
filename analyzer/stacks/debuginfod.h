// Files by build-id from the servers of DEBUGINFOD_URLS, as gdb has them: debug
// information, and programs that this machine does not have.
//
// Only if the user has set DEBUGINFOD_URLS. A server that gives no byte for
// DEBUGINFOD_TIMEOUT seconds (10 unless set) is asked no more by this process, so a
// dead one costs its time once. What was fetched is kept in the user's cache
// (DEBUGINFOD_CACHE_PATH), where gdb finds it too.
//
// libdebuginfod is loaded when it is needed: the command starts without it and its
// 30 libraries, and machines that have none of it lack nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace mallogram {

class Debuginfod {
 public:
  enum class What { kDebugInfo, kExecutable };

  // Takes DEBUGINFOD_URLS out of the environment: libdw would ask on its own,
  // without limit and without a word.
  Debuginfod();
  ~Debuginfod();
  Debuginfod(const Debuginfod&) = delete;
  Debuginfod& operator=(const Debuginfod&) = delete;

  // For all verbs of this process: --no-debuginfod.
  static void Disable();

  // The file's path; empty: no server has it. `name`: the module's, for people.
  std::string Find(What what, absl::string_view build_id, absl::string_view name);

  // Why servers were not asked, or no more: sentences for people.
  std::vector<std::string> TakeNotes();

 private:
  struct Client;
  bool Begin();
  static int OnProgress(void* client, long done, long total);

  std::string urls_;
  Client* client_ = nullptr;
  bool gave_up_ = false;
  std::vector<std::string> notes_;
};

}  // namespace mallogram
