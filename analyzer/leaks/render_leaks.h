// A LeakDocument to text, JSON and what CI systems read. No computing here: what is
// shown was worked out before.
#pragma once

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/terminal.h"
#include "analyzer/leaks/document.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

struct LeakTextOptions {
  Style style;
  KindSet kinds = 0;         // shown
  bool kinds_asked = false;  // by --kinds: a hint about the others is not needed
  size_t top = 0;            // records of a process; 0: all
  size_t depth = 12;         // callers; 0: all
  bool full_names = false;
};
std::string RenderLeaks(const LeakDocument& document, const StackBook& book,
                        const LeakTextOptions& options);

// Records of `kinds`, `top` of them (0: all). As leaks.schema.json says.
void RenderLeaksJson(const LeakDocument& document, const StackBook& book,
                     KindSet kinds, size_t top,
                     absl::FunctionRef<void(absl::string_view)> sink);

// Records of `kinds` that are not suppressed are failures; a process without any is
// one passed case.
std::string RenderJunit(const LeakDocument& document, const StackBook& book,
                        KindSet kinds);
// SARIF 2.1.0. Suppressed ones are in it, marked as such.
std::string RenderSarif(const LeakDocument& document, const StackBook& book,
                        KindSet kinds, absl::string_view version);

// A file that --suppressions takes: records of `kinds` that are not suppressed yet,
// in Valgrind's syntax, each with LeakSanitizer's form as a comment.
std::string RenderSuppressions(const LeakDocument& document, const StackBook& book,
                               KindSet kinds);

// ---- shared by the renderers ----------------------------------------------

// "4.7 MiB in 1,234 blocks, and 2 KiB in 3 blocks lost with them"
std::string AmountText(const LeakRecord& record);
// The record's stack as lines "function (file:line)", innermost first, unfolded.
std::string StackLines(const StackBook& book, uint32_t node);
// "when it exited", "at signal 11 (SIGSEGV)".
std::string CauseText(const LeakCheck& check);
absl::string_view CauseName(CheckCause cause);
// "xmllint (pid 4711)"
std::string ProcessName(const LeakProcess& process);

}  // namespace mallogram
