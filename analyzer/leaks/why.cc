#include "analyzer/leaks/why.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/command/format.h"
#include "analyzer/stacks/names.h"
#include "analyzer/stacks/stack_cursor.h"

namespace mallogram {
namespace {

constexpr size_t kNameWidth = 48;

std::string ThreadText(const RootView& root) {
  if (root.tid == 0) return "a thread";
  if (root.thread.empty()) return absl::StrCat("thread ", root.tid);
  return absl::StrCat("thread \"", root.thread, "\" (", root.tid, ")");
}

std::string ModuleText(const StackBook& book, const RootView& root) {
  if (root.module == kNoModuleIndex) return "";
  return std::string(Basename(book.modules()[root.module].path));
}

std::string GlobalText(const StackBook& book, const RootView& root) {
  const std::string module = ModuleText(book, root);
  if (root.name.empty()) {
    const std::string place = absl::StrFormat(
        "%s+0x%x", module.empty() ? "a module" : module, root.address);
    return root.section.empty() ? absl::StrCat("data at ", place)
                                : absl::StrCat(root.section, " at ", place);
  }
  return absl::StrCat("global `", root.name, "`",
                      root.offset == 0 ? "" : absl::StrCat(" +", root.offset),
                      module.empty() ? "" : absl::StrCat(" in ", module));
}

std::string HopText(const StackBook& book, const HopView& hop) {
  const std::string place = PlaceOf(book, hop.node);
  std::string text =
      hop.repeats > 1 ? absl::StrCat(FormatCount(hop.repeats),
                                     " blocks in a row of ", FormatBytes(hop.size))
                      : FormatBytes(hop.size);
  if (!place.empty()) absl::StrAppend(&text, " of ", place);
  return absl::StrCat(text, " +", hop.offset);
}

}  // namespace

absl::string_view IdiomText(PointerIdiom idiom) {
  switch (idiom) {
    case PointerIdiom::kStart:
    case PointerIdiom::kInterior:
      return "";
    case PointerIdiom::kArrayCookie:
      return "by a pointer to its elements behind the array cookie";
    case PointerIdiom::kSecondBase:
      return "by a pointer to a second base class of it";
    case PointerIdiom::kSharedString:
      return "by a pointer to the characters of a reference-counted std::string";
    case PointerIdiom::kLength:
      return "by a pointer behind the length that it begins with";
    case PointerIdiom::kAligned:
      return "by a pointer to its hand-aligned part";
  }
  return "";
}

absl::string_view IdiomName(PointerIdiom idiom) {
  constexpr absl::string_view kNames[kPointerIdioms] = {
      "start",  "array_cookie", "second_base", "shared_string",
      "length", "aligned",      "interior"};
  const auto index = static_cast<size_t>(idiom);
  return index < std::size(kNames) ? kNames[index] : "";
}

absl::string_view RootKindName(RootKind kind) {
  constexpr absl::string_view kNames[kRootKinds] = {
      "none",         "global",  "stack",    "register",
      "thread_local", "mapping", "inherited"};
  const auto index = static_cast<size_t>(kind);
  return index < std::size(kNames) ? kNames[index] : "";
}

std::string RootText(const StackBook& book, const RootView& root) {
  switch (root.kind) {
    case RootKind::kNone:
      return "";
    case RootKind::kGlobal:
      return GlobalText(book, root);
    case RootKind::kStack:
      return absl::StrCat("the stack of ", ThreadText(root));
    case RootKind::kRegister:
      return absl::StrCat("register ", root.name, " of ", ThreadText(root));
    case RootKind::kThreadLocal:
      return absl::StrCat("a thread-local variable of ", ThreadText(root));
    case RootKind::kMapping:
      return absl::StrFormat("mapped memory at 0x%x", root.address);
    case RootKind::kInherited:
      return "a block of the process that this one was forked from";
  }
  return "";
}

std::string PlaceOf(const StackBook& book, uint32_t node) {
  if (node < kFirstStackId) return "";
  const ShownStack stack = StackOf(book, node, Fold::kPlumbingAndLibrary);
  const CodeFrame& frame = book.frame(stack.frames[stack.folded].frame);
  if (frame.function.empty()) {
    return frame.module.empty()
               ? absl::StrFormat("0x%x", frame.offset)
               : absl::StrFormat("%s+0x%x", Basename(frame.module), frame.offset);
  }
  const std::string name = ShortName(frame.function, kNameWidth, /*utf8=*/true);
  if (frame.file.empty()) return name;
  return absl::StrCat(name, " (", Basename(frame.file), ":", frame.line, ")");
}

std::string WayText(const StackBook& book, const LeakReason& reason,
                    absl::string_view arrow) {
  std::string text = RootText(book, reason.root);
  const size_t half = (reason.way.size() + 1) / 2;
  for (size_t i = 0; i < reason.way.size(); ++i) {
    if (reason.way_cut != 0 && i == half)
      absl::StrAppend(&text, arrow, FormatCount(reason.way_cut), " more blocks");
    absl::StrAppend(&text, text.empty() ? "" : arrow, HopText(book, reason.way[i]));
  }
  return text;
}

std::string WhyText(const LeakDocument& document, const StackBook& book,
                    const LeakRecord& record, absl::string_view arrow) {
  const LeakReason& reason = record.reason;
  switch (record.kind) {
    case LeakKind::kDefinite:
      return "no pointer to it was found anywhere";
    case LeakKind::kIndirect: {
      const std::string head = PlaceOf(book, reason.head);
      return head.empty()
                 ? "only lost blocks point to it"
                 : absl::StrCat("only lost blocks point to it: first one of ",
                                head);
    }
    case LeakKind::kPossible: {
      const std::string way = WayText(book, reason, arrow);
      return absl::StrCat(
          reason.interior_offset != 0
              ? absl::StrCat("only a pointer ", FormatCount(reason.interior_offset),
                             " bytes past its start was found")
              : "only pointers into the middle of blocks lead to it",
          way.empty() ? "" : absl::StrCat(", in ", way));
    }
    case LeakKind::kReachable:
    case LeakKind::kGrowth: {
      const std::string way = WayText(book, reason, arrow);
      const absl::string_view idiom = IdiomText(reason.idiom);
      return absl::StrCat("held by ", way.empty() ? "a root" : way,
                          idiom.empty() ? "" : absl::StrCat(", ", idiom));
    }
    case LeakKind::kUnclassified:
      return absl::StrCat("not classified: ",
                          document.processes[record.process].reason);
    case LeakKind::kIgnored:
      return "the program said that it is not to be reported";
  }
  return "";
}

}  // namespace mallogram
