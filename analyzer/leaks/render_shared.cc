// Sentences that every form of the report has: one place, or text and SARIF would
// drift apart.
#include <string.h>

#include "absl/strings/str_cat.h"
#include "analyzer/command/format.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/stacks/stack_cursor.h"

namespace mallogram {

std::string AmountText(const LeakRecord& record) {
  std::string text = absl::StrCat(FormatBytes(record.bytes), " in ",
                                  Plural(record.blocks, "block"));
  if (record.indirect_blocks != 0) {
    absl::StrAppend(&text, ", and ", FormatBytes(record.indirect_bytes), " in ",
                    Plural(record.indirect_blocks, "block"), " lost with ",
                    record.blocks == 1 ? "it" : "them");
  }
  return text;
}

std::string StackLines(const StackBook& book, uint32_t node) {
  std::string text;
  const ShownStack stack = StackOf(book, node, Fold::kPlumbingAndLibrary);
  for (const PlacedFrame& shown : stack.frames) {
    const CodeFrame& frame = book.frame(shown.frame);
    if (frame.function.empty()) {
      absl::StrAppend(&text, frame.module, "+0x", absl::Hex(frame.offset));
    } else {
      absl::StrAppend(&text, frame.function);
    }
    if (!frame.file.empty())
      absl::StrAppend(&text, " (", frame.file, ":", frame.line, ")");
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string CauseText(const LeakCheck& check) {
  switch (check.cause) {
    case CheckCause::kExit:
      return "at its end";
    case CheckCause::kSignal: {
      const char* name = sigabbrev_np(static_cast<int>(check.detail));
      return name == nullptr ? absl::StrCat("at signal ", check.detail)
                             : absl::StrCat("when it died of SIG", name);
    }
    case CheckCause::kCommand:
      return "while it ran, by mallogram leaks --pid";
    case CheckCause::kClient:
      return "while it ran, at mallogram_leak_check_now()";
  }
  return "";
}

absl::string_view CauseName(CheckCause cause) {
  constexpr absl::string_view kNames[kCheckCauses] = {"exit", "signal", "command",
                                                      "client"};
  const auto index = static_cast<size_t>(cause);
  return index < kCheckCauses ? kNames[index] : "";
}

std::string ProcessName(const LeakProcess& process) {
  return absl::StrCat(process.program, " (pid ", process.pid, ")");
}

}  // namespace mallogram
