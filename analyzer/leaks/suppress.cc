// Suppressions applied to records.
#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "analyzer/leaks/suppressions.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

using Of = SuppressionPattern::Of;

// What Valgrind has as the innermost frame and we do not: the function that was
// called. Which one it was is not recorded.
constexpr absl::string_view kAllocators[] = {"malloc",
                                             "calloc",
                                             "realloc",
                                             "reallocarray",
                                             "posix_memalign",
                                             "aligned_alloc",
                                             "valloc",
                                             "pvalloc",
                                             "memalign",
                                             "_Znwm",
                                             "_Znam",
                                             "_ZnwmRKSt9nothrow_t",
                                             "_ZnamRKSt9nothrow_t"};

constexpr absl::string_view kDeallocators[] = {"free",
                                               "realloc",
                                               "cfree",
                                               "_ZdlPv",
                                               "_ZdaPv",
                                               "_ZdlPvm",
                                               "_ZdaPvm",
                                               "_ZdlPvSt11align_val_t",
                                               "_ZdaPvSt11align_val_t"};

bool MatchesCalled(const SuppressionPattern& pattern,
                   absl::Span<const absl::string_view> names) {
  if (pattern.of == Of::kObject)
    return MatchesWhole(pattern.text,
                        "/usr/libexec/valgrind/vgpreload_memcheck.so");
  return pattern.of == Of::kFunction &&
         std::any_of(names.begin(), names.end(), [&](absl::string_view name) {
           return MatchesWhole(pattern.text, name);
         });
}

// Debug information has glibc's functions by their inner names: "__GI___strdup".
absl::string_view ExportedName(absl::string_view function) {
  if (absl::ConsumePrefix(&function, "__GI_")) absl::ConsumePrefix(&function, "__");
  return function;
}

bool Matches(const SuppressionPattern& pattern, const CodeFrame& frame) {
  switch (pattern.of) {
    case Of::kAnyPart:
      return MatchesPart(pattern.text, frame.function) ||
             MatchesPart(pattern.text, BareName(frame.function)) ||
             MatchesPart(pattern.text, frame.file) ||
             MatchesPart(pattern.text, frame.module);
    case Of::kFunction:
      if (frame.function.empty()) return MatchesWhole(pattern.text, "???");
      return (!frame.symbol.empty() && MatchesWhole(pattern.text, frame.symbol)) ||
             MatchesWhole(pattern.text, frame.function) ||
             MatchesWhole(pattern.text, BareName(frame.function)) ||
             MatchesWhole(pattern.text, ExportedName(frame.function));
    case Of::kObject:
      return MatchesWhole(pattern.text, frame.module);
    case Of::kSource:
      return !frame.file.empty() &&
             (MatchesWhole(pattern.text,
                           absl::StrCat(frame.file, ":", frame.line)) ||
              MatchesWhole(pattern.text,
                           absl::StrCat(Basename(frame.file), ":", frame.line)));
    case Of::kEllipsis:
      return true;
  }
  return false;
}

// Asks once a pattern and frame.
class Matcher {
 public:
  Matcher(const SuppressionSet& set, const StackBook& book)
      : set_(set), book_(book) {
    for (const Suppression& suppression : set.all()) {
      first_pattern_.push_back(known_.size());
      known_.resize(known_.size() + suppression.patterns.size());
    }
  }

  size_t Find(const LeakRecord& record, absl::Span<const uint32_t> stack) {
    for (size_t i = 0; i < set_.all().size(); ++i) {
      const Suppression& suppression = set_.all()[i];
      if (!Has(suppression.kinds, record.kind)) continue;
      if (!suppression.root.empty() &&
          (!record.reason.way.empty() ||
           !MatchesWhole(suppression.root, record.reason.root.name))) {
        continue;
      }
      if (suppression.any_frame ? AnyFrame(i, stack)
                                : AllFrames(i, stack, kAllocators)) {
        return i;
      }
    }
    return kNoSuppression;
  }

  size_t FindFree(absl::Span<const uint32_t> stack) {
    for (size_t i = 0; i < set_.all().size(); ++i) {
      if (set_.all()[i].of_frees && AllFrames(i, stack, kDeallocators)) return i;
    }
    return kNoSuppression;
  }

 private:
  bool FrameMatches(size_t suppression, size_t pattern, uint32_t frame) {
    std::vector<int8_t>& known = known_[first_pattern_[suppression] + pattern];
    if (known.empty()) known.resize(book_.frame_count(), -1);
    int8_t& answer = known[frame];
    if (answer < 0) {
      answer =
          Matches(set_.all()[suppression].patterns[pattern], book_.frame(frame));
    }
    return answer != 0;
  }

  bool AnyFrame(size_t suppression, absl::Span<const uint32_t> stack) {
    return std::any_of(stack.begin(), stack.end(), [&](uint32_t frame) {
      return FrameMatches(suppression, 0, frame);
    });
  }

  // Patterns from `pattern` on against frames from `frame` on. The frames that the
  // patterns leave over do not matter.
  bool FramesMatch(size_t suppression, size_t pattern,
                   absl::Span<const uint32_t> stack, size_t frame) {
    const std::vector<SuppressionPattern>& patterns =
        set_.all()[suppression].patterns;
    // As a glob: where the last "..." stood, and how far it reaches.
    size_t star = patterns.size(), mark = 0;
    while (pattern < patterns.size()) {
      if (patterns[pattern].of == Of::kEllipsis) {
        star = pattern++;
        mark = frame;
      } else if (frame < stack.size() &&
                 FrameMatches(suppression, pattern, stack[frame])) {
        ++pattern;
        ++frame;
      } else if (star != patterns.size() && mark < stack.size()) {
        pattern = star + 1;
        frame = ++mark;
      } else {
        return false;
      }
    }
    return true;
  }

  // `called`: what may stand innermost although it is not on the stack.
  bool AllFrames(size_t suppression, absl::Span<const uint32_t> stack,
                 absl::Span<const absl::string_view> called) {
    if (FramesMatch(suppression, 0, stack, 0)) return true;
    const std::vector<SuppressionPattern>& patterns =
        set_.all()[suppression].patterns;
    return !patterns.empty() && MatchesCalled(patterns[0], called) &&
           FramesMatch(suppression, 1, stack, 0);
  }

  const SuppressionSet& set_;
  const StackBook& book_;
  std::vector<size_t> first_pattern_;       // of a suppression, in known_
  std::vector<std::vector<int8_t>> known_;  // by frame: -1 not asked yet
};

}  // namespace

std::vector<uint32_t> FramesOf(const StackBook& book, uint32_t node) {
  std::vector<uint32_t> stack;
  for (; node >= kFirstStackId; node = book.node(node).parent) {
    for (const PlacedFrame& frame : book.location(book.node(node).location).frames)
      stack.push_back(frame.frame);
  }
  return stack;
}

void ApplySuppressions(const SuppressionSet& set, const StackBook& book,
                       LeakDocument* document) {
  const size_t first = document->suppressions.size();
  for (const Suppression& suppression : set.all()) {
    document->suppressions.push_back(
        {suppression.name, suppression.source, suppression.built_in, {}});
  }
  Matcher matcher(set, book);
  // Heads of lost blocks that are suppressed, by process and node.
  absl::flat_hash_map<std::pair<size_t, uint32_t>, size_t> heads;
  for (LeakRecord& record : document->records) {
    const size_t found = matcher.Find(record, FramesOf(book, record.node));
    if (found == kNoSuppression) continue;
    record.suppression = first + found;
    if (record.kind == LeakKind::kDefinite)
      heads[{record.process, record.node}] = record.suppression;
  }
  for (LeakRecord& record : document->records) {
    if (record.kind != LeakKind::kIndirect || record.suppressed()) continue;
    const auto head = heads.find(std::pair(record.process, record.reason.head));
    if (head != heads.end()) record.suppression = head->second;
  }
  for (MismatchView& mismatch : document->mismatches) {
    const size_t found = matcher.FindFree(FramesOf(book, mismatch.freed));
    if (found != kNoSuppression) mismatch.suppression = first + found;
  }
  SumUp(document);
}

}  // namespace mallogram
