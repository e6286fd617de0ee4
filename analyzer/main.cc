// The command: a table of verbs, and the only printer of the errors that end one
// (command/exit.h). What a verb has to say while it goes on is said by Say
// (terminal.h); record also writes where there may be no memory left for that. A
// new verb is a line in kVerbs, its options' rows and its help beside them.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "analyzer/check/check_command.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/format.h"
#include "analyzer/command/help.h"
#include "analyzer/command/options.h"
#include "analyzer/command/report_file.h"
#include "analyzer/command/terminal.h"
#include "analyzer/command/verb_names.h"
#include "analyzer/diff/diff_command.h"
#include "analyzer/launcher/record.h"
#include "analyzer/launcher/record_check.h"
#include "analyzer/launcher/record_options.h"
#include "analyzer/leaks/leaks_command.h"
#include "analyzer/report/report_command.h"
#include "analyzer/scaling/fit_command.h"
#include "analyzer/study/study_command.h"
#include "analyzer/sweep/sweep_command.h"
#include "analyzer/symbolize/symbolize_command.h"
#include "preload/collector/resource_limits.h"
#include "preload/image.h"

namespace mallogram {
namespace {

absl::StatusOr<int> RunVersion(Arguments) {
  return ExitAfter(PrintOut("mallogram " MALLOGRAM_VERSION "\n"));
}

absl::StatusOr<int> RunHelp(Arguments arguments);
std::string MainHelp() { return kHelpMain; }

struct Verb {
  absl::string_view name;
  absl::StatusOr<int> (*run)(Arguments arguments);
  std::string (*help)();  // nullptr: not for people
  bool reads = false;     // recordings
};

constexpr Verb kVerbs[] = {
    {"record", RunRecord, RecordHelp},
    {"report", RunReport, ReportHelp, true},
    {"info", RunInfoVerb, InfoHelp, true},
    {"leaks", RunLeaks, LeaksHelp, true},
    {"check", RunCheck, CheckHelp},
    {"diff", RunDiff, DiffHelp, true},
    {"fit", RunFit, FitHelp, true},
    {"study", RunStudy, StudyHelp},
    {"sweep", RunSweep, SweepHelp},
    {"symbolize", RunSymbolize, SymbolizeHelp, true},
    {"help", RunHelp, MainHelp},
    {"version", RunVersion, MainHelp},
    {kCollectVerb, RunCollect, nullptr},  // started by the library
};

constexpr bool NamesEveryVerb() {
  size_t named = 0;
  for (const Verb& verb : kVerbs) {
    if (verb.help == nullptr) continue;
    if (named == kVerbNames.size() || verb.name != kVerbNames[named]) return false;
    ++named;
  }
  return named == kVerbNames.size();
}
static_assert(NamesEveryVerb(), "command/verb_names.h lists the verbs in order");

const Verb* FindVerb(absl::string_view name) {
  for (const Verb& verb : kVerbs) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

std::string MeantVerb(absl::string_view word) {
  std::vector<absl::string_view> names;
  for (const Verb& verb : kVerbs) {
    if (verb.help != nullptr) names.push_back(verb.name);
  }
  return DidYouMean(word, names);
}

absl::StatusOr<int> RunHelp(Arguments arguments) {
  const absl::StatusOr<Words> words = ParseOptions(arguments, {});
  if (!words.ok()) return words.status();
  if (words->operands.empty()) return HelpAsked();
  const std::string& name = words->operands[0];
  const Verb* verb = FindVerb(name);
  if (verb == nullptr || verb->help == nullptr) {
    return InputError(absl::NotFoundError(
        absl::StrCat("no verb \"", name, "\"", MeantVerb(name))));
  }
  return ExitAfter(PrintOut(WrapLines(verb->help(), DetectStyle().width)));
}

// So that a shell's loop ends, too.
[[noreturn]] void DieOf(int number) {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  raise(number);
  _exit(128 + number);
}

// Where little memory is allowed, libdw and libelf go on with a pointer that malloc
// did not give them. What follows is told as what it is.
void TellLackOfMemory() {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  static const std::string line = absl::StrCat("mallogram: ", OutOfMemory(), "\n");
  static char stack[16 << 10];
  stack_t alternate = {};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof(stack);
  sigaltstack(&alternate, nullptr);
  struct sigaction action = {};
  action.sa_flags = SA_ONSTACK;
  action.sa_handler = [](int) {
    [[maybe_unused]] const ssize_t ignored =
        write(STDERR_FILENO, line.data(), line.size());
    _exit(kFailure);
  };
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT})
    sigaction(number, &action, nullptr);
}

// Runs it, and prints what kept it from its work.
int Run(const Verb& verb, Arguments arguments) {
  if (verb.reads) TellLackOfMemory();
  absl::StatusOr<int> done = verb.run(arguments);
  if (IsHelpAsked(done.status()) && verb.help != nullptr)
    done = ExitAfter(PrintOut(WrapLines(verb.help(), DetectStyle().width)));
  if (done.ok()) return *done;
  Say(absl::StrCat(done.status().message(),
                   absl::IsInvalidArgument(done.status())
                       ? absl::StrCat("; see mallogram help ", verb.name)
                       : ""));
  const int number = InterruptingSignal(done.status());
  if (number != 0) DieOf(number);
  return ExitOf(done.status());
}

int Main(int argc, char** argv) {
  setlocale(LC_CTYPE, "");
  const Arguments words = absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1));
  if (words.empty()) {
    fputs(kHelpMain, stderr);
    return kUsage;
  }
  const absl::string_view first = words[0];
  if (first == "--help" || first == "-h") return Run(*FindVerb("help"), {});
  if (first == "--version" || first == "-V") return Run(*FindVerb("version"), {});
  if (const Verb* verb = FindVerb(first)) return Run(*verb, words.subspan(1));
  // No verb: a program to record, unless it is a slip of the keyboard.
  const std::string meant = absl::StartsWith(first, "-") ? "" : MeantVerb(first);
  if (!meant.empty() && absl::IsNotFound(FindProgram(argv[1]).status())) {
    Say(absl::StrCat("\"", first, "\" is neither a verb nor a program", meant));
    return kUsage;
  }
  return Run(*FindVerb("record"), words);
}

// An exception that nobody caught, in a thread as a rule. There may be no memory.
[[noreturn]] void Die() {
  constexpr char kWords[] =
      "mallogram: out of memory, or an error that was not expected\n";
  [[maybe_unused]] const ssize_t ignored =
      write(STDERR_FILENO, kWords, sizeof(kWords) - 1);
  _exit(kFailure);
}

int Guarded(int argc, char** argv) {
  std::set_terminate(Die);
  try {
    return Main(argc, argv);
  } catch (const std::bad_alloc&) {
    // What was built up is gone by now, so there is memory for a line.
    Say(OutOfMemory());
    return kFailure;
  }
}

}  // namespace
}  // namespace mallogram

int main(int argc, char** argv) { return mallogram::Guarded(argc, argv); }
