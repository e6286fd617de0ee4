#include "analyzer/stacks/debuginfod.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/terminal.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

constexpr char kUrls[] = "DEBUGINFOD_URLS", kTimeout[] = "DEBUGINFOD_TIMEOUT";
constexpr int kDefaultTimeout = 10;  // s

bool disabled = false;

using Clock = std::chrono::steady_clock;

// Set while a file is asked for: the library's callback takes no closure that all
// of its versions know.
struct Transfer {
  ProgressBar bar;
  Clock::time_point last;  // when a byte came
  Clock::duration limit;
  long done = 0;
  bool timed_out = false;
};
Transfer* transfer = nullptr;

int TimeoutSeconds() {
  const char* text = getenv(kTimeout);
  int seconds = 0;
  return text != nullptr && absl::SimpleAtoi(text, &seconds) && seconds > 0
             ? seconds
             : kDefaultTimeout;
}

}  // namespace

// The functions of libdebuginfod.so.1, by its header.
struct Debuginfod::Client {
  using Find = int (*)(void* client, const unsigned char* build_id, int length,
                       char** path);
  void* library = nullptr;
  void* session = nullptr;
  void (*end)(void* client) = nullptr;
  Find find_debuginfo = nullptr, find_executable = nullptr;
};

Debuginfod::Debuginfod() {
  const char* urls = getenv(kUrls);
  if (urls != nullptr && !disabled) urls_ = urls;
  unsetenv(kUrls);
}

Debuginfod::~Debuginfod() {
  if (client_ != nullptr && client_->session != nullptr)
    client_->end(client_->session);
  delete client_;
  if (!urls_.empty()) setenv(kUrls, urls_.c_str(), 1);
}

void Debuginfod::Disable() { disabled = true; }

int Debuginfod::OnProgress(void*, long done, long total) {
  const Clock::time_point now = Clock::now();
  if (done != transfer->done) transfer->last = now;
  transfer->done = done;
  if (total > 0) {
    transfer->bar.Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
  }
  transfer->timed_out = now - transfer->last > transfer->limit;
  return transfer->timed_out ? 1 : 0;
}

bool Debuginfod::Begin() {
  if (client_ != nullptr) return client_->session != nullptr;
  client_ = new Client;
  client_->library = dlopen("libdebuginfod.so.1", RTLD_NOW);
  if (client_->library == nullptr) {
    notes_.push_back(absl::StrCat(kUrls,
                                  " is set, but libdebuginfod.so.1 is not here: "
                                  "nothing is fetched"));
    return false;
  }
  const auto load = [this](const char* name, auto* function) {
    *function = reinterpret_cast<std::remove_pointer_t<decltype(function)>>(
        dlsym(client_->library, name));
    return *function != nullptr;
  };
  void* (*begin)() = nullptr;
  void (*set_progress)(void*, int (*)(void*, long, long)) = nullptr;
  if (!load("debuginfod_begin", &begin) || !load("debuginfod_end", &client_->end) ||
      !load("debuginfod_set_progressfn", &set_progress) ||
      !load("debuginfod_find_debuginfo", &client_->find_debuginfo) ||
      !load("debuginfod_find_executable", &client_->find_executable)) {
    return false;
  }
  client_->session = begin();
  if (client_->session == nullptr) return false;
  set_progress(client_->session, OnProgress);
  return true;
}

std::string Debuginfod::Find(What what, absl::string_view build_id,
                             absl::string_view name) {
  // Shorter ones are no hash of anything.
  if (urls_.empty() || gave_up_ || build_id.size() < 8 || !Begin()) return "";
  const int seconds = TimeoutSeconds();
  Transfer current{
      ProgressBar(absl::StrCat("fetching ", std::string(Basename(name)))),
      Clock::now(), std::chrono::seconds(seconds)};
  transfer = &current;
  setenv(kUrls, urls_.c_str(), 1);
  const char* const timeout = getenv(kTimeout);
  if (timeout == nullptr) setenv(kTimeout, std::to_string(seconds).c_str(), 1);
  char* path = nullptr;
  const Client::Find find =
      what == What::kDebugInfo ? client_->find_debuginfo : client_->find_executable;
  const int fd = find(client_->session,
                      reinterpret_cast<const unsigned char*>(build_id.data()),
                      static_cast<int>(build_id.size()), &path);
  unsetenv(kUrls);
  if (timeout == nullptr) unsetenv(kTimeout);
  transfer = nullptr;
  if (fd >= 0) {
    close(fd);
    const std::unique_ptr<char, decltype(&free)> owned(path, free);
    return path == nullptr ? "" : path;
  }
  if (fd == -ENOENT || fd == -ENOSYS) return "";
  gave_up_ = true;
  notes_.push_back(
      absl::StrCat("debuginfod: ", urls_, ": ",
                   current.timed_out || fd == -ETIME || fd == -ETIMEDOUT
                       ? absl::StrCat("no answer within ", seconds, " s")
                       : strerror(-fd),
                   "; no more is fetched from there"));
  return "";
}

std::vector<std::string> Debuginfod::TakeNotes() {
  return std::exchange(notes_, {});
}

}  // namespace mallogram
