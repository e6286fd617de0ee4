// The runs of a sweep, one or several at a time, and what interrupts them.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/files.h"
#include "analyzer/command/format.h"
#include "analyzer/sweep/process.h"
#include "analyzer/sweep/progress.h"
#include "analyzer/sweep/signals.h"
#include "analyzer/sweep/sizes.h"
#include "analyzer/sweep/sweep.h"
#include "analyzer/sweep/sweep_directory.h"

namespace mallogram {
namespace {

using Clock = std::chrono::steady_clock;

// The progress bar is drawn at every sixteenth tick.
constexpr int kTickMs = 50;
// How long a program may tidy up after a signal.
constexpr std::chrono::seconds kGrace(2);

class Sweeper {
 public:
  Sweeper(const SweepPlan& plan, const SweepSettings& settings,
          SweepDirectory* directory, std::deque<RunKey> open)
      : plan_(plan),
        settings_(settings),
        directory_(directory),
        open_(std::move(open)),
        progress_(plan, {open_.begin(), open_.end()}, directory->done().size()) {}

  absl::Status Run() {
    if (plan_.warm_up) {
      warming_ = true;
      Start({plan_.sizes[0], kWarmUp});
      Wait(/*at_most=*/0);
      warming_ = false;
    }
    while (!open_.empty() && Continues()) {
      const RunKey key = open_.front();
      open_.pop_front();
      Start(key);
      Wait(/*at_most=*/plan_.jobs - 1);
    }
    Wait(/*at_most=*/0);  // also those beside a run that failed: they stay
    progress_.Clear();
    return signal_ != 0 ? Interrupted() : failure_;
  }

 private:
  struct Going {
    pid_t pid;
    RunKey key;
    Clock::time_point since;
    std::vector<InputFile> inputs;
    std::set<pid_t> told;  // processes that have got the signal that stops us
  };

  bool Continues() const { return signal_ == 0 && failure_.ok(); }

  void Fail(const absl::Status& status, bool hopeless) {
    if (settings_.failures != nullptr && !hopeless) {
      settings_.failures->emplace_back(status.message());
    } else if (failure_.ok()) {
      failure_ = status;
    }
  }

  void Start(const RunKey& key) {
    const absl::Status status = directory_->Prepare(key);
    if (!status.ok()) return Fail(status, /*hopeless=*/true);
    std::error_code ignored;
    Going run{0, key, Clock::now(), {}, {}};
    run.inputs = NamedFiles(
        RunCommand(plan_, key), RunInput(plan_, key), plan_.working_directory,
        std::filesystem::absolute(plan_.directory, ignored).lexically_normal());
    const absl::StatusOr<pid_t> pid = StartRun(plan_, key, signals_.old_mask());
    if (!pid.ok()) {
      directory_->Remove(key);
      return Fail(pid.status(), /*hopeless=*/true);
    }
    run.pid = *pid;
    going_.push_back(std::move(run));
    if (!warming_) progress_.Started(key);
  }

  // Until no more than that many runs are going on.
  void Wait(size_t at_most) {
    while (going_.size() > at_most) {
      bool from_terminal = false;
      const int number = signals_.Wait(kTickMs, &from_terminal);
      if (number != 0 && number != SIGCHLD) Interrupt(number, from_terminal);
      if (signal_ != 0) Stop();
      Reap();
      if (!settings_.quiet && !settings_.verbose) progress_.Show();
    }
  }

  void Reap() {
    for (size_t i = 0; i < going_.size();) {
      int status = 0;
      if (waitpid(going_[i].pid, &status, WNOHANG) != going_[i].pid) {
        ++i;
        continue;
      }
      const Going run = std::move(going_[i]);
      going_.erase(going_.begin() + static_cast<ptrdiff_t>(i));
      End(run, status);
    }
  }

  void End(const Going& run, int wait_status) {
    const double seconds =
        std::chrono::duration<double>(Clock::now() - run.since).count();
    const RunEnd end = JudgeRun(plan_, run.key, wait_status);
    // Whatever ends while we are stopping has been told to.
    if (signal_ != 0) return directory_->Remove(run.key);
    if (!warming_) progress_.Ended(run.key, seconds, end.failure.ok());
    if (!end.failure.ok()) return Fail(end.failure, end.hopeless);
    if (warming_) return directory_->Remove(run.key);
    SweepRun done;
    done.size = run.key.size;
    done.n = SizeValue(run.key.size);
    done.rep = run.key.rep;
    done.directory = RunDirectory(plan_, run.key);
    done.files = FindRecordings(done.directory);
    done.exit_status = end.exit_status;
    done.seconds = seconds;
    const absl::Status status = directory_->Finish(done, run.inputs);
    if (!status.ok()) return Fail(status, /*hopeless=*/true);
    if (settings_.verbose) {
      fprintf(stderr, "%s: %s\n", RunTitle(plan_, run.key).c_str(),
              FormatSeconds(seconds).c_str());
    }
  }

  // The program's processes get the signal that we got, unless they have it from
  // the terminal; after a while, or at a second signal, SIGKILL.
  void Interrupt(int number, bool from_terminal) {
    if (signal_ != 0) {
      kill_at_ = Clock::now();
      return;
    }
    signal_ = number;
    told_by_terminal_ = from_terminal && number != SIGHUP;
    kill_at_ = Clock::now() + kGrace;
  }

  void Stop() {
    const bool enough = Clock::now() >= kill_at_;
    for (Going& run : going_) {
      for (const pid_t pid : ProgramProcesses(run.pid)) {
        if (enough) {
          kill(pid, SIGKILL);
        } else if (!told_by_terminal_ && run.told.insert(pid).second) {
          kill(pid, signal_);
        }
      }
    }
  }

  absl::Status Interrupted() const {
    const size_t done = directory_->done().size();
    return mallogram::Interrupted(
        signal_,
        absl::StrCat("interrupted: ", done, " of ", plan_.sizes.size() * plan_.reps,
                     " runs are done in ", plan_.directory,
                     done == 0 ? "" : ", the same command goes on from there"));
  }

  const SweepPlan& plan_;
  const SweepSettings& settings_;
  SweepDirectory* const directory_;
  std::deque<RunKey> open_;
  SweepProgress progress_;
  SignalWatch signals_;
  std::vector<Going> going_;
  bool warming_ = false;
  absl::Status failure_;
  int signal_ = 0;  // that has stopped us
  bool told_by_terminal_ = false;
  Clock::time_point kill_at_;
};

}  // namespace

absl::StatusOr<std::vector<SweepRun>> RunSweep(const SweepPlan& asked,
                                               const SweepSettings& settings) {
  absl::StatusOr<SweepPlan> plan = CheckPlan(asked);
  if (!plan.ok()) return plan.status();
  std::error_code ignored;
  // Relative names in a command mean something else elsewhere.
  plan->working_directory =
      asked.working_directory.empty()
          ? std::filesystem::current_path(ignored)
          : std::filesystem::absolute(asked.working_directory, ignored);
  SweepDirectory directory;
  absl::Status status = directory.Open(*plan, settings.fresh);
  if (!status.ok()) return status;
  std::deque<RunKey> open;
  for (const RunKey& key : RunOrder(*plan)) {
    if (!directory.IsDone(key)) open.push_back(key);
  }
  if (open.empty()) return directory.done();
  status = Sweeper(*plan, settings, &directory, std::move(open)).Run();
  const absl::Status written = directory.WriteManifest();
  if (!status.ok()) return status;
  if (!written.ok()) return written;
  return directory.done();
}

}  // namespace mallogram
