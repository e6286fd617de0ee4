// The command: a table of verbs. The only printer of errors (but for record and
// collect, which must speak while their program runs). A new verb is a line in
// kVerbs and a help text.
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "analyzer/check/check_command.h"
#include "analyzer/command/cli.h"
#include "analyzer/command/exit.h"
#include "analyzer/command/help.h"
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
#include "preload/collector/resource_limits.h"
#include "preload/image.h"

namespace mallogram {
namespace {

int Fail(absl::string_view verb, const absl::Status& status) {
  const bool usage = absl::IsInvalidArgument(status);
  fprintf(stderr, "mallogram: %s%s\n", std::string(status.message()).c_str(),
          usage ? absl::StrCat("; see mallogram help ", verb).c_str() : "");
  return usage ? kUsage : kFailure;
}

int Report(int argc, char** argv) {
  const absl::Status status = RunReport(argc, argv);
  return status.ok() ? 0 : Fail("report", status);
}

int Info(int argc, char** argv) {
  const absl::Status status = RunInfoVerb(argc, argv);
  return status.ok() ? 0 : Fail("info", status);
}

int Version(int, char**) {
  puts("mallogram " MALLOGRAM_VERSION);
  return 0;
}

int Help(int argc, char** argv);

struct Verb {
  absl::string_view name;
  int (*run)(int argc, char** argv);  // argv[0] is the verb
  const char* help;                   // nullptr: not for people
};

constexpr Verb kVerbs[] = {
    {"record", RunRecord, kRecordHelp},
    {"report", Report, kHelpReport},
    {"info", Info, kHelpInfo},
    {"leaks", RunLeaks, kLeaksHelp},
    {"check", RunCheck, kCheckHelp},
    {"diff", RunDiff, kDiffHelp},
    {"fit", RunFit, kFitHelp},
    {"study", RunStudyVerb, kStudyHelp},
    {"sweep", RunSweepVerb, kSweepHelp},
    {"help", Help, kHelpMain},
    {"version", Version, kHelpMain},
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

int Help(int argc, char** argv) {
  if (argc < 2) {
    fputs(kHelpMain, stdout);
    return 0;
  }
  const Verb* verb = FindVerb(argv[1]);
  if (verb == nullptr || verb->help == nullptr) {
    fprintf(stderr, "mallogram: no verb \"%s\"%s\n", argv[1],
            MeantVerb(argv[1]).c_str());
    return kUsage;
  }
  fputs(verb->help, stdout);
  return 0;
}

int Run(const Verb& verb, int argc, char** argv) {
  // These read their options themselves: --help may be their program's.
  const bool runs_programs =
      verb.run == RunRecord || verb.run == RunLeaks || verb.run == RunCheck;
  for (int i = 1; i < argc && verb.help != nullptr && !runs_programs; ++i) {
    const absl::string_view word = argv[i];
    if (word == "--") break;
    if (word == "--help" || word == "-h") {
      fputs(verb.help, stdout);
      return 0;
    }
  }
  return verb.run(argc, argv);
}

int Main(int argc, char** argv) {
  setlocale(LC_CTYPE, "");
  if (argc < 2) {
    fputs(kHelpMain, stderr);
    return kUsage;
  }
  const absl::string_view first = argv[1];
  if (first == "--help" || first == "-h") return Help(1, argv);
  if (first == "--version" || first == "-V") return Version(1, argv);
  if (const Verb* verb = FindVerb(first)) return Run(*verb, argc - 1, argv + 1);
  // No verb: a program to record, unless it is a slip of the keyboard.
  const std::string meant = absl::StartsWith(first, "-") ? "" : MeantVerb(first);
  if (!meant.empty() && absl::IsNotFound(FindProgram(argv[1]).status())) {
    fprintf(stderr, "mallogram: \"%s\" is neither a verb nor a program%s\n",
            argv[1], meant.c_str());
    return kUsage;
  }
  return Run(*FindVerb("record"), argc, argv);
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
    fprintf(stderr, "mallogram: %s\n", OutOfMemory().c_str());
    return kFailure;
  }
}

}  // namespace
}  // namespace mallogram

int main(int argc, char** argv) { return mallogram::Guarded(argc, argv); }
