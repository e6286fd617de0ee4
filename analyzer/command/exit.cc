#include "analyzer/command/exit.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace mallogram {
namespace {

constexpr char kExit[] = "mallogram/exit", kSignal[] = "mallogram/signal",
               kHelp[] = "mallogram/help";

absl::Status Marked(absl::Status status, const char* mark, int number) {
  status.SetPayload(mark, absl::Cord(absl::StrCat(number)));
  return status;
}

// The number that the status carries; `otherwise`: it carries none.
int MarkOf(const absl::Status& status, const char* mark, int otherwise) {
  const absl::optional<absl::Cord> payload = status.GetPayload(mark);
  int number = 0;
  return payload.has_value() && absl::SimpleAtoi(std::string(*payload), &number)
             ? number
             : otherwise;
}

}  // namespace

absl::StatusOr<int> ExitAfter(const absl::Status& last) {
  if (!last.ok()) return last;
  return 0;
}

absl::Status WithExit(absl::Status error, int exit_status) {
  return Marked(std::move(error), kExit, exit_status);
}

absl::Status InputError(const absl::Status& error) {
  return WithExit(absl::FailedPreconditionError(error.message()), kUsage);
}

int ExitOf(const absl::Status& error) {
  return MarkOf(error, kExit, absl::IsInvalidArgument(error) ? kUsage : kFailure);
}

absl::Status HelpAsked() { return Marked(absl::CancelledError("help"), kHelp, 1); }

bool IsHelpAsked(const absl::Status& status) {
  return MarkOf(status, kHelp, 0) != 0;
}

absl::Status Interrupted(int signal, absl::string_view message) {
  return Marked(absl::CancelledError(message), kSignal, signal);
}

int InterruptingSignal(const absl::Status& status) {
  return MarkOf(status, kSignal, 0);
}

}  // namespace mallogram
