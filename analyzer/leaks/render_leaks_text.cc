// The report for people: a summary of each process, then its records by kind and
// size, with stacks and with what still points there.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/format.h"
#include "analyzer/command/text_writer.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/leaks/why.h"
#include "analyzer/report/render.h"
#include "analyzer/stacks/frame_text.h"
#include "analyzer/stacks/names.h"
#include "analyzer/stacks/stack_cursor.h"

namespace mallogram {
namespace {

constexpr size_t kIndent = 6, kPlaceWidth = 30, kLeastName = 24;
// So many processes get a line each even if they have no leaks.
constexpr size_t kSingly = 6;

class LeakText {
 public:
  LeakText(const LeakDocument& document, const StackBook& book,
           const LeakTextOptions& options)
      : document_(document),
        book_(book),
        options_(options),
        out_(options.style, options.full_names) {}

  std::string Render() {
    for (const std::string& warning : document_.warnings)
      out_.Line(out_.Yellow(absl::StrCat("! ", out_.Safe(warning))));
    for (size_t i = 0; i < document_.processes.size(); ++i) WriteProcess(i);
    WriteOthers();
    if (document_.processes.size() > 1) WriteTotals();
    return out_.Take();
  }

 private:
  std::string ByKind(LeakKind kind, absl::string_view text) const {
    switch (kind) {
      case LeakKind::kDefinite:
        return out_.Red(text);
      case LeakKind::kPossible:
      case LeakKind::kGrowth:
      case LeakKind::kUnclassified:
        return out_.Yellow(text);
      default:
        return out_.Bold(text);
    }
  }

  std::vector<const LeakRecord*> RecordsOf(size_t process) const {
    std::vector<const LeakRecord*> records;
    for (const LeakRecord& record : document_.records) {
      if (record.process == process && !record.suppressed() &&
          Has(options_.kinds, record.kind) && record.change != Change::kSame) {
        records.push_back(&record);
      }
    }
    return records;
  }

  // Of many processes without leaks, all but the first are told together.
  bool Collects(size_t index) const {
    return index != 0 && document_.processes.size() > kSingly;
  }

  void WriteOthers() {
    const auto list = [](const std::map<std::string, size_t>& programs) {
      std::vector<std::string> words;
      for (const auto& [program, count] : programs) {
        words.push_back(count == 1 ? program : absl::StrCat(count, " ", program));
      }
      return absl::StrJoin(words, ", ");
    };
    if (!clean_.empty() || !replaced_.empty()) out_.Line();
    if (!clean_.empty()) {
      out_.Line(out_.Green("no leaks: "), out_.Safe(list(clean_)));
    }
    if (!replaced_.empty()) {
      out_.Line(out_.Dim(absl::StrCat("replaced by another program, not checked: ",
                                      out_.Safe(list(replaced_)))));
    }
  }

  // What a process that nobody needs to think about has: one line.
  bool WriteClean(size_t index, bool has_records) {
    const LeakProcess& process = document_.processes[index];
    if (process.end == EndReason::kExeced && !process.classified) {
      if (Collects(index)) {
        ++replaced_[process.program];
        return true;
      }
      out_.Line(
          out_.Dim(absl::StrCat(out_.Safe(ProcessName(process)),
                                ": replaced by another program, not checked")));
      return true;
    }
    if (has_records || options_.kinds_asked || !process.classified) return false;
    const auto count = [&](LeakKind kind) {
      return process.sums[static_cast<size_t>(kind)].blocks;
    };
    // Compared with an earlier check, only what changed counts.
    if (process.since == 0 &&
        count(LeakKind::kDefinite) + count(LeakKind::kIndirect) +
                count(LeakKind::kPossible) + count(LeakKind::kGrowth) !=
            0) {
      return false;
    }
    if (Collects(index)) {
      ++clean_[process.program];
      return true;
    }
    const LeakCheck& check = *process.used();
    out_.Line(out_.Green("no leaks: "), out_.Safe(ProcessName(process)), ": ",
              process.since != 0 ? "nothing new; " : "",
              check.blocks == 0
                  ? "every block was freed"
                  : absl::StrCat(Plural(check.blocks, "block"), " (",
                                 FormatBytes(check.bytes), ") alive ",
                                 CauseText(check), ", none of them lost"),
              process.suppressed.blocks == 0
                  ? ""
                  : absl::StrCat(", ", FormatCount(process.suppressed.blocks),
                                 " suppressed"));
    return true;
  }

  // Processes without leaks are lines below each other.
  void WriteProcess(size_t index) {
    const LeakProcess& process = document_.processes[index];
    const std::vector<const LeakRecord*> records = RecordsOf(index);
    const bool mismatched =
        std::any_of(document_.mismatches.begin(), document_.mismatches.end(),
                    [index](const MismatchView& mismatch) {
                      return mismatch.process == index &&
                             mismatch.suppression == kNoSuppression;
                    });
    const bool in_pools =
        std::any_of(document_.pools.begin(), document_.pools.end(),
                    [index](const PoolView& pool) {
                      return pool.process == index && pool.blocks != 0;
                    });
    if (WriteClean(index, !records.empty() || mismatched || in_pools)) return;
    if (index != 0) out_.Line();
    WriteHeader(process);
    const size_t shown =
        options_.top == 0 ? records.size() : std::min(options_.top, records.size());
    for (size_t i = 0; i < shown; ++i) WriteRecord(*records[i], i + 1);
    if (shown < records.size()) {
      out_.Line();
      out_.Line(out_.Dim(absl::StrCat("  … ", records.size() - shown,
                                      " more; --top 0 shows all")));
    }
    WriteMismatches(index);
    WritePools(index);
    WriteSummary(process);
  }

  void WriteHeader(const LeakProcess& process) {
    out_.Line(out_.Bold(absl::StrCat("Leaks of ", out_.Safe(ProcessName(process)))),
              out_.Dim(absl::StrCat("   ", out_.Safe(JoinCommand(process.argv)))));
    const std::string end = EndText(process);
    const LeakCheck* check = process.used();
    if (!process.classified) {
      out_.Line(out_.Yellow(
          absl::StrCat("unfreed, not classified: ", out_.Safe(process.reason))));
      return;
    }
    out_.Line(out_.Dim(absl::StrCat(
        "checked ", CauseText(*check), ", ", FormatSeconds(Seconds(check->time_ns)),
        " after its start",
        process.since == 0
            ? ""
            : absl::StrCat(", and compared with check ", process.since),
        "; ", out_.Safe(end))));
  }

  std::string FrameLine(const PlacedFrame& shown, size_t indent, bool bold) {
    const CodeFrame& frame = book_.frame(shown.frame);
    const size_t column = out_.style().width - kPlaceWidth;
    const size_t room = std::max(column, indent + kLeastName + 2) - indent - 2;
    std::string function = FunctionText(out_, frame, room);
    const size_t columns = DisplayWidth(function);
    if (bold) function = out_.Bold(function);
    std::string place = PlaceText(out_, frame, /*any_line=*/false);
    if (place.empty()) return function;
    if (shown.inlined) absl::StrAppend(&place, " (inlined)");
    return absl::StrCat(function,
                        std::string(columns < room ? room - columns : 0, ' '), "  ",
                        bold ? out_.Bold(place) : out_.Dim(place));
  }

  // What starts main() and threads, and all further out.
  bool IsStart(const PlacedFrame& shown) const {
    constexpr absl::string_view kNames[] = {"_start",
                                            "__libc_start_main",
                                            "__libc_start_call_main",
                                            "start_thread",
                                            "clone",
                                            "__libc_start_main_impl",
                                            "clone3",
                                            "__clone3",
                                            "__GI___clone"};
    const std::string& function = book_.frame(shown.frame).function;
    return std::find(std::begin(kNames), std::end(kNames), function) !=
           std::end(kNames);
  }

  void WriteStack(uint32_t node) {
    const ShownStack stack = StackOf(book_, node, Fold::kPlumbingAndLibrary);
    if (stack.frames.empty()) {
      out_.Line(std::string(kIndent, ' '),
                out_.Dim(book_.frame(stack.root).function));
      return;
    }
    out_.Line(std::string(kIndent, ' '),
              FrameLine(stack.frames[stack.folded], kIndent, /*bold=*/true));
    if (stack.folded != 0) {
      const CodeFrame& via = book_.frame(stack.frames[stack.folded - 1].frame);
      out_.Line(std::string(kIndent + 2, ' '),
                out_.Dim(absl::StrCat(
                    "through ",
                    FunctionText(out_, via, out_.style().width - kIndent - 12))));
    }
    const size_t first = stack.folded + 1;
    size_t callers = stack.frames.size() - first;
    if (options_.depth != 0) {
      size_t i = 0;
      while (i < callers && !IsStart(stack.frames[first + i])) ++i;
      callers = i;
    }
    const size_t shown =
        options_.depth == 0 ? callers : std::min(options_.depth, callers);
    for (size_t i = 0; i < shown; ++i) {
      out_.Line(std::string(kIndent + 2, ' '),
                FrameLine(stack.frames[first + i], kIndent + 2, false));
    }
    if (shown < callers) {
      out_.Line(std::string(kIndent + 2, ' '),
                out_.Dim(absl::StrCat("… ", Plural(callers - shown, "more caller"),
                                      " (--depth 0)")));
    } else if (stack.root != 0) {
      out_.Line(std::string(kIndent + 2, ' '),
                out_.Dim(book_.frame(stack.root).function));
    }
  }

  // "12 ms", or "12 ms to 1.2 s" if that differs as it reads.
  static std::string AgeText(const LeakRecord& record) {
    const std::string youngest = FormatSeconds(Seconds(record.youngest_age_ns));
    const std::string oldest = FormatSeconds(Seconds(record.oldest_age_ns));
    return youngest == oldest ? oldest : absl::StrCat(youngest, " to ", oldest);
  }

  void WriteRecord(const LeakRecord& record, size_t rank) {
    out_.Line();
    std::string line =
        absl::StrCat(out_.Bold(PadLeft(absl::StrCat(rank), 4)), "  ",
                     ByKind(record.kind, KindName(record.kind)), "  ");
    if (record.change == Change::kGone) {
      absl::StrAppend(&line, out_.Green("gone: "), FormatBytes(record.before_bytes),
                      " in ", Plural(record.before_blocks, "block"));
    } else {
      absl::StrAppend(&line, out_.Bold(AmountText(record)));
      if (record.change == Change::kNew)
        absl::StrAppend(&line, out_.Yellow("  new"));
      if (record.change == Change::kGrown || record.change == Change::kShrunk) {
        absl::StrAppend(&line,
                        out_.Yellow(absl::StrCat("  ", ChangeName(record.change))),
                        " from ", FormatBytes(record.before_bytes), " in ",
                        Plural(record.before_blocks, "block"));
      }
    }
    out_.Line(line);
    WriteStack(record.node);
    const std::string indent(kIndent, ' ');
    if (record.change == Change::kGone) return;
    if (record.kind != LeakKind::kUnclassified) {
      WriteWrapped("why",
                   WhyText(document_, book_, record, out_.Glyph(" → ", " -> ")));
    }
    if (!record.container.empty()) WriteWrapped("what", record.container);
    if (record.growth.has_value() && record.growth->growing)
      WriteWrapped("growth", record.growth->text);
    if (record.has_ages) {
      WriteWrapped("age", absl::StrCat(AgeText(record), " at the check",
                                       record.thread.empty() || record.main_thread
                                           ? ""
                                           : absl::StrCat("; by thread \"",
                                                          record.thread, "\"")));
    }
  }

  // "why  …", continued below itself where the line ends.
  void WriteWrapped(absl::string_view label, absl::string_view text) {
    constexpr size_t kLabel = 8;
    const size_t width = out_.style().width;
    std::string line;
    bool first = true;
    const auto flush = [&] {
      out_.Line(std::string(kIndent, ' '),
                out_.Dim(PadRight(first ? label : "", kLabel)), line);
      first = false;
      line.clear();
    };
    const std::string safe = out_.Safe(text);
    for (const absl::string_view word : absl::StrSplit(safe, ' ')) {
      if (!line.empty() &&
          kIndent + kLabel + DisplayWidth(line) + 1 + DisplayWidth(word) > width) {
        flush();
      }
      absl::StrAppend(&line, line.empty() ? "" : " ", word);
    }
    flush();
  }

  void WriteMismatches(size_t process) {
    size_t rank = 0;
    for (const MismatchView& mismatch : document_.mismatches) {
      if (mismatch.process != process || mismatch.suppression != kNoSuppression)
        continue;
      out_.Line();
      const Mismatch& first = mismatch.mismatch;
      out_.Line(out_.Bold(PadLeft(absl::StrCat("m", ++rank), 4)), "  ",
                out_.Red("mismatch"), "  ", out_.Bold(MismatchText(first)),
                first.count > 1
                    ? absl::StrCat(", ", FormatCount(first.count), " times")
                    : "");
      const auto write = [this](absl::string_view label, uint32_t node) {
        if (node < kFirstStackId) return;
        out_.Line(std::string(kIndent - 2, ' '), out_.Dim(label));
        WriteStack(node);
      };
      write("freed by", mismatch.freed);
      write("freed before by", mismatch.first_freed);
      write("allocated by", mismatch.allocated);
    }
  }

  // What is left in the program's own pools. Not in the sums: the memory that it
  // lies in is.
  void WritePools(size_t process) {
    for (const PoolView& pool : document_.pools) {
      if (pool.process != process || pool.blocks == 0) continue;
      out_.Line();
      out_.Line("   ", out_.Bold(absl::StrCat("pool ", out_.Safe(pool.name))), "  ",
                FormatBytes(pool.bytes), " in ", Plural(pool.blocks, "block"),
                " not given back, not classified");
      for (const PoolSiteView& site : pool.sites) {
        if (site.blocks == 0) continue;
        out_.Line(std::string(kIndent - 2, ' '),
                  out_.Dim(absl::StrCat(FormatBytes(site.bytes), " in ",
                                        Plural(site.blocks, "block"))));
        WriteStack(site.node);
      }
    }
  }

  void SummaryRow(absl::string_view label, const Amount& amount,
                  absl::string_view note) {
    out_.Line("  ", PadRight(label, 14), PadLeft(FormatCount(amount.blocks), 14),
              PadLeft(FormatBytes(amount.bytes), 13),
              PadLeft(FormatCount(amount.records), 10),
              note.empty() ? "" : absl::StrCat("  ", out_.Dim(note)));
  }

  void SummaryHead() {
    out_.Heading("Leak summary",
                 out_.Dim(absl::StrCat(PadLeft("blocks", 18), PadLeft("bytes", 13),
                                       PadLeft("records", 10))));
  }

  void SummaryRows(const std::array<Amount, kLeakKinds>& sums,
                   const Amount& suppressed, bool classified) {
    for (size_t i = 0; i < kLeakKinds; ++i) {
      const auto kind = static_cast<LeakKind>(i);
      const bool always = classified && kind <= LeakKind::kReachable;
      if (!always && sums[i].blocks == 0) continue;
      const std::string name(KindName(kind));
      const bool hidden = !Has(options_.kinds, kind) && sums[i].blocks != 0;
      SummaryRow(name, sums[i],
                 kind == LeakKind::kIndirect && hidden && !options_.kinds_asked
                     ? "with the definite ones"
                 : hidden && !options_.kinds_asked
                     ? absl::StrCat("not shown; --kinds ", name)
                     : "");
    }
    if (suppressed.blocks != 0) SummaryRow("suppressed", suppressed, "");
  }

  void WriteSummary(const LeakProcess& process) {
    SummaryHead();
    SummaryRows(process.sums, process.suppressed, process.classified);
    if (document_.processes.size() == 1) WriteSuppressions();
    const LeakCheck* check = process.used();
    if (check == nullptr || !process.classified) return;
    out_.Line();
    out_.Line(out_.Dim(absl::StrCat("Scanned ", FormatBytes(check->scanned_bytes),
                                    " in ", FormatSeconds(Seconds(check->scan_ns)),
                                    ", ", FormatBytes(check->root_bytes),
                                    " of them roots; the process stood still for ",
                                    FormatSeconds(Seconds(check->pause_ns)))));
  }

  void WriteSuppressions() {
    for (const SuppressionUse& use : document_.suppressions) {
      if (use.amount.records == 0) continue;
      out_.Line(out_.Dim(absl::StrCat(
          "    ", PadLeft(FormatCount(use.amount.blocks), 26),
          PadLeft(FormatBytes(use.amount.bytes), 13),
          PadLeft(FormatCount(use.amount.records), 10), "  ", out_.Safe(use.name),
          use.built_in ? " (built in)"
                       : absl::StrCat(" (", out_.Safe(use.source), ")"))));
    }
  }

  void WriteTotals() {
    out_.Line();
    out_.Line(out_.Bold(
        absl::StrCat("All ", document_.processes.size(), " processes together")));
    Amount suppressed;
    bool classified = false;
    for (const LeakProcess& process : document_.processes) {
      suppressed.blocks += process.suppressed.blocks;
      suppressed.bytes += process.suppressed.bytes;
      suppressed.records += process.suppressed.records;
      classified = classified || process.classified;
    }
    SummaryHead();
    SummaryRows(TotalsOf(document_), suppressed, classified);
    WriteSuppressions();
  }

  const LeakDocument& document_;
  const StackBook& book_;
  const LeakTextOptions& options_;
  TextWriter out_;
  std::map<std::string, size_t> clean_, replaced_;  // processes a program
};

}  // namespace

std::string RenderLeaks(const LeakDocument& document, const StackBook& book,
                        const LeakTextOptions& options) {
  return LeakText(document, book, options).Render();
}

}  // namespace mallogram
