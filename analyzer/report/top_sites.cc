// Top call sites: sites grouped by the user's line, and the callers of each.
//
// Ranking single call stacks would be useless for real programs: a parser that
// recurses reaches one allocation through a thousand stacks of 0.1 % each. So the
// ranking is by the innermost frame of the user's own code, and the stacks below it
// are merged again, from the inside out, as long as they agree.
//
// Cost: O(frames of the stacks in the groups that are shown).
#include <algorithm>
#include <numeric>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "analyzer/report/analyses.h"

namespace mallogram {
namespace {

// A caller that this much of the value came through continues the line; smaller
// ones are branches, shown if they carry enough.
constexpr double kChainShare = 0.95;
constexpr double kBranchShare = 0.05;
constexpr size_t kMaxBranches = 3, kBranchLines = 3;
constexpr int kMaxLevel = 4;

struct Path {
  StackCursor cursor;
  uint64_t value;
};

struct Group {
  TopSite site;
  uint64_t value = 0, heaviest = 0;
  std::vector<Path> paths;
};

// Lists the callers of `paths`, level by level.
class CallerLister {
 public:
  CallerLister(const StackBook& book, uint64_t total, size_t depth,
               std::vector<CallerLine>* out)
      : book_(book), total_(total), depth_(depth), out_(out) {}

  void List(std::vector<Path> paths, int level, size_t lines) {
    for (;;) {
      std::vector<Branch> branches = Split(std::move(paths));
      if (branches.empty()) return;
      const uint64_t sum =
          std::accumulate(branches.begin(), branches.end(), uint64_t{0},
                          [](uint64_t n, const Branch& b) { return n + b.value; });
      if (depth_ != 0 && lines >= depth_) {
        CallerLine line;
        line.level = level;
        line.cut = DeepestLeft(branches);
        if (line.cut != 0) out_->push_back(line);
        return;
      }
      Branch& first = branches[0];
      if (static_cast<double>(first.value) >=
          kChainShare * static_cast<double>(sum)) {
        out_->push_back(LineOf(first, level, false));
        ++lines;
        if (first.ended) return;
        paths = std::move(first.paths);
        continue;
      }
      if (level == kMaxLevel) return;
      size_t shown = 0;
      for (Branch& branch : branches) {
        if (shown == kMaxBranches || Share(branch) < kBranchShare) break;
        ++shown;
        out_->push_back(LineOf(branch, level + 1, true));
        if (!branch.ended) {
          // What branches share further out is repeated in each: less of it.
          const size_t spent = depth_ > kBranchLines ? depth_ - kBranchLines : 0;
          List(std::move(branch.paths), level + 1, std::max(lines + 1, spent));
        }
      }
      return;
    }
  }

 private:
  struct Branch {
    PlacedFrame frame;
    uint64_t value = 0;
    bool any_line = false, recursive = false;
    bool ended = false;  // a root's note
    std::vector<Path> paths;
  };

  double Share(const Branch& branch) const {
    return total_ == 0
               ? 0
               : static_cast<double>(branch.value) / static_cast<double>(total_);
  }

  CallerLine LineOf(const Branch& branch, int level, bool opens) const {
    CallerLine line;
    line.frame = branch.frame.frame;
    line.inlined = branch.frame.inlined;
    line.any_line = branch.any_line;
    line.recursive = branch.recursive;
    line.level = level;
    line.branch = opens;
    line.share = Share(branch);
    return line;
  }

  // One branch a function that the paths stand in; their cursors then stand in
  // its caller. Paths that reached the outermost frame are done.
  std::vector<Branch> Split(std::vector<Path> paths) const {
    std::vector<Branch> branches;
    absl::flat_hash_map<uint32_t, size_t> index;
    for (Path& path : paths) {
      const bool ended = path.cursor.AtRoot();
      if (ended && path.cursor.root() == 0) continue;
      const PlacedFrame frame =
          ended ? PlacedFrame{StackBook::RootFrame(path.cursor.root()), false}
                : path.cursor.frame();
      const auto [entry, is_new] =
          index.try_emplace(book_.function(frame.frame), branches.size());
      if (is_new) branches.push_back({frame, 0, false, false, ended, {}});
      Branch& branch = branches[entry->second];
      branch.value += path.value;
      if (branch.frame.frame != frame.frame) branch.any_line = true;
      if (!ended && path.cursor.NextFunction()) branch.recursive = true;
      branch.paths.push_back(std::move(path));
    }
    std::stable_sort(
        branches.begin(), branches.end(),
        [](const Branch& a, const Branch& b) { return a.value > b.value; });
    return branches;
  }

  static uint64_t DeepestLeft(const std::vector<Branch>& branches) {
    uint64_t deepest = 0;
    for (const Branch& branch : branches) {
      for (const Path& path : branch.paths) {
        StackCursor cursor = path.cursor;
        uint64_t left = branch.ended ? 0 : 1;
        while (!cursor.AtRoot()) {
          cursor.Next();
          ++left;
        }
        deepest = std::max(deepest, left);
      }
      break;  // the heaviest branch speaks for all
    }
    return deepest;
  }

  const StackBook& book_;
  const uint64_t total_;
  const size_t depth_;
  std::vector<CallerLine>* const out_;
};

// Equal for stacks that are one site; `frame`: the user's own.
std::string KeyOf(const StackBook& book, uint32_t node, uint32_t frame,
                  SiteIdentity identity) {
  std::string key;
  switch (identity) {
    case SiteIdentity::kLine:
      return absl::StrCat(frame);
    case SiteIdentity::kFunction:
      return absl::StrCat(book.function(frame));
    case SiteIdentity::kStack:
      for (StackCursor at(book, node); !at.AtRoot(); at.Next())
        absl::StrAppend(&key, at.frame().frame, " ");
      return key;
    case SiteIdentity::kNames:
      for (StackCursor at(book, node); !at.AtRoot(); at.NextFunction()) {
        if (!book.frame(at.frame().frame).plumbing)
          absl::StrAppend(&key, book.function(at.frame().frame), " ");
      }
      return key;
  }
  return key;
}

}  // namespace

TopSites FindTopSites(const Report& report, const StackBook& book, Measure by,
                      SiteIdentity identity, size_t top, double minimum,
                      size_t depth) {
  TopSites result;
  std::vector<Group> groups;
  absl::flat_hash_map<std::string, size_t> index;
  for (size_t i = 0; i < report.sites.size(); ++i) {
    const Site& site = report.sites[i];
    const uint64_t value = ValueOf(site.totals, by);
    result.value += value;
    if (value == 0) continue;
    StackCursor cursor(book, site.node);
    const bool nameless = cursor.AtRoot();
    const PlacedFrame frame =
        nameless ? PlacedFrame{StackBook::RootFrame(cursor.root()), false}
                 : cursor.frame();
    const auto [entry, is_new] = index.try_emplace(
        KeyOf(book, site.node, frame.frame, identity), groups.size());
    if (is_new) {
      groups.emplace_back();
      groups.back().site.frame = frame;
    }
    Group& group = groups[entry->second];
    group.site.totals += site.totals;
    if (report.sampled()) group.site.estimate.Add(report.sampling.sites[i]);
    group.value += value;
    ++group.site.stacks;
    if (value > group.heaviest) {
      group.heaviest = value;
      group.site.via = cursor.folded() == 0 ? 0 : cursor.outermost_folded();
    }
    if (!nameless) {
      if (cursor.NextFunction()) group.site.recursive = true;
      group.paths.push_back({cursor, value});
    }
  }
  result.count = groups.size();
  // Ties in the order of the file, so that a report is the same every time.
  std::stable_sort(
      groups.begin(), groups.end(),
      [](const Group& a, const Group& b) { return a.value > b.value; });
  if (groups.size() > top) groups.resize(top);
  while (!groups.empty() && static_cast<double>(groups.back().value) <
                                minimum * static_cast<double>(result.value)) {
    groups.pop_back();
    result.cut = true;
  }
  for (Group& group : groups) {
    group.site.share =
        static_cast<double>(group.value) / static_cast<double>(result.value);
    result.shown_share += group.site.share;
    CallerLister(book, group.value, depth, &group.site.callers)
        .List(std::move(group.paths), 0, 0);
    result.sites.push_back(std::move(group.site));
  }
  return result;
}

}  // namespace mallogram
