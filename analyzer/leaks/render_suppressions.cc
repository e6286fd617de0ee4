// Suppressions for what was found.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/stacks/names.h"
#include "analyzer/stacks/stack_cursor.h"

namespace mallogram {
namespace {

// As Valgrind: enough to be specific, not so much that every caller needs its own.
constexpr size_t kFrames = 12;

}  // namespace

std::string RenderSuppressions(const LeakDocument& document, const StackBook& book,
                               KindSet kinds) {
  std::string text =
      "# Written by mallogram leaks --gen-suppressions. For --suppressions, and "
      "for\n"
      "# Valgrind; the lines leak: are LeakSanitizer's form.\n";
  for (const LeakRecord& record : document.records) {
    if (!Has(kinds, record.kind) || record.suppressed() ||
        record.change == Change::kGone) {
      continue;
    }
    const ShownStack stack = StackOf(book, record.node, Fold::kPlumbingAndLibrary);
    if (stack.frames.empty()) continue;
    const CodeFrame& own = book.frame(stack.frames[stack.folded].frame);
    const std::string name = own.function.empty()
                                 ? std::string(Basename(own.module))
                                 : BareName(own.function);
    absl::StrAppend(&text, "\n# ", AmountText(record), "\n# leak:", name,
                    "\n{\n   ", absl::StrReplaceAll(name, {{"\n", " "}}), " (",
                    KindName(record.kind), ")\n   Memcheck:Leak\n");
    // Valgrind has no kinds but its own four.
    switch (record.kind) {
      case LeakKind::kDefinite:
      case LeakKind::kIndirect:
      case LeakKind::kPossible:
        absl::StrAppend(&text, "   match-leak-kinds: ", KindName(record.kind),
                        "\n");
        break;
      case LeakKind::kReachable:
      case LeakKind::kGrowth:
        absl::StrAppend(&text, "   match-leak-kinds: reachable\n");
        break;
      case LeakKind::kUnclassified:
      case LeakKind::kIgnored:
        break;
    }
    // The function of the malloc family that was called is not recorded; it comes
    // first with Valgrind, unless operator new is on our stack as well.
    const CodeFrame& innermost = book.frame(stack.frames[0].frame);
    if (innermost.symbol.compare(0, 3, "_Zn") != 0)
      absl::StrAppend(&text, "   fun:*alloc*\n");
    size_t shown = 0;
    for (const PlacedFrame& frame : stack.frames) {
      if (shown++ == kFrames) break;
      const CodeFrame& view = book.frame(frame.frame);
      if (!view.function.empty()) {
        absl::StrAppend(&text, "   fun:",
                        view.symbol.empty() ? view.function : view.symbol, "\n");
      } else {
        absl::StrAppend(&text, "   obj:", view.module.empty() ? "*" : view.module,
                        "\n");
      }
    }
    if (shown < stack.frames.size()) absl::StrAppend(&text, "   ...\n");
    absl::StrAppend(&text, "}\n");
  }
  return text;
}

}  // namespace mallogram
