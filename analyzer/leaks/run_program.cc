#include "analyzer/leaks/run_program.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

// ^C and ^\ reach the program by the terminal; these are sent to us alone.
constexpr int kPassedOn[] = {SIGTERM, SIGHUP};
constexpr int kTerminals[] = {SIGINT, SIGQUIT};

std::atomic<pid_t> child_pid{0};

void PassOn(int number) {
  const pid_t pid = child_pid.load();
  if (pid > 0) kill(pid, number);
}

}  // namespace

absl::Status TemporaryDirectory::Make() {
  const char* const parent = getenv("TMPDIR");
  path_ = absl::StrCat(parent != nullptr && parent[0] == '/' ? parent : "/tmp",
                       "/mallogram-leaks-XXXXXX");
  if (mkdtemp(path_.data()) != nullptr) return absl::OkStatus();
  const std::string tried = std::exchange(path_, "");
  return absl::FailedPreconditionError(
      absl::StrCat("cannot make a directory ", tried, ": ", strerror(errno)));
}

void TemporaryDirectory::Remove() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  path_.clear();
}

absl::StatusOr<int> RecordProgram(Arguments program, const std::string& output,
                                  const std::string& leak_check) {
  std::vector<std::string> words = {
      "mallogram",     "record", "--quiet", "--leak-check", leak_check,
      "--leak-budget", "none",   "-o",      output,         "--"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.insert(argv.end(), program.begin(), program.end());
  argv.push_back(nullptr);

  // Until the child has its own handlers back, and we know its pid, none arrives.
  sigset_t block, before;
  sigemptyset(&block);
  for (const int number : kPassedOn) sigaddset(&block, number);
  for (const int number : kTerminals) sigaddset(&block, number);
  sigprocmask(SIG_BLOCK, &block, &before);
  const pid_t pid = fork();
  if (pid < 0) return absl::InternalError(absl::StrCat("fork: ", strerror(errno)));
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    execv("/proc/self/exe", argv.data());
    _exit(125);
  }
  child_pid = pid;
  struct sigaction passing = {}, ignoring = {};
  passing.sa_handler = PassOn;
  passing.sa_flags = SA_RESTART;
  ignoring.sa_handler = SIG_IGN;
  struct sigaction old_passing[std::size(kPassedOn)];
  struct sigaction old_terminal[std::size(kTerminals)];
  for (size_t i = 0; i < std::size(kPassedOn); ++i)
    sigaction(kPassedOn[i], &passing, &old_passing[i]);
  for (size_t i = 0; i < std::size(kTerminals); ++i)
    sigaction(kTerminals[i], &ignoring, &old_terminal[i]);
  sigprocmask(SIG_SETMASK, &before, nullptr);

  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  child_pid = 0;
  for (size_t i = 0; i < std::size(kPassedOn); ++i)
    sigaction(kPassedOn[i], &old_passing[i], nullptr);
  for (size_t i = 0; i < std::size(kTerminals); ++i)
    sigaction(kTerminals[i], &old_terminal[i], nullptr);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace mallogram
