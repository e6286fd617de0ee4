#include "analyzer/study/study_command.h"

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "analyzer/cli.h"
#include "analyzer/format.h"
#include "analyzer/study/spec.h"

namespace mallogram {

const char kStudyHelp[] = R"(Usage: mallogram study --check FILE.toml

Reads a study file and says what is wrong with it.
)";

namespace {

constexpr int kFailure = 1, kUsage = 2;

absl::Status Study(int argc, char** argv) {
  constexpr OptionSpec kSpecs[] = {{"--check"}};
  absl::StatusOr<ParsedArguments> parsed = ParseArguments(
      absl::MakeSpan(argv + 1, static_cast<size_t>(argc - 1)), kSpecs);
  if (!parsed.ok()) return parsed.status();
  if (parsed->operands.size() != 1) return UsageError("a study file is needed");
  absl::StatusOr<study::StudySpec> spec = study::ReadStudy(parsed->operands[0]);
  if (!spec.ok()) return spec.status();
  printf("%s: %s, %s\n", spec->file.c_str(),
         Plural(spec->tables.size(), "table").c_str(),

         spec->criteria.size() == 1
             ? "1 criterion"
             : absl::StrCat(spec->criteria.size(), " criteria").c_str());
  return absl::OkStatus();
}

}  // namespace

int RunStudyVerb(int argc, char** argv) {
  const absl::Status status = Study(argc, argv);
  if (status.ok()) return 0;
  const bool usage = absl::IsInvalidArgument(status);
  fprintf(stderr, "mallogram: %s%s\n", std::string(status.message()).c_str(),
          usage ? "; see mallogram help study" : "");
  return usage ? kUsage : kFailure;
}

}  // namespace mallogram
