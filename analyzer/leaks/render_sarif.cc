// SARIF 2.1.0, which GitHub's and other code scanning reads.
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/leaks/why.h"
#include "analyzer/stacks/names.h"
#include "analyzer/stacks/stack_cursor.h"

namespace mallogram {
namespace {

using Json = nlohmann::ordered_json;

struct Rule {
  const char* id;
  const char* text;
  const char* level;
};
// The order is that of LeakKind, mismatches last.
constexpr Rule kRules[] = {
    {"leak/definite", "No pointer to the block was left", "error"},
    {"leak/indirect", "Only lost blocks point to the block", "note"},
    {"leak/possible", "Only pointers into the middle of the block were left",
     "warning"},
    {"leak/reachable", "The block was never freed, and something still holds it",
     "note"},
    {"leak/growth", "The call site's live bytes keep growing", "warning"},
    {"leak/unclassified",
     "The block was never freed; nobody could look who holds it", "warning"},
    {"leak/ignored", "The program said that the block is not to be reported",
     "none"},
    {"mismatch", "The block was freed by the wrong function", "error"},
};
constexpr size_t kMismatchRule = kLeakKinds;

// An absolute path as a URI; a relative one as a relative reference.
std::string UriOf(absl::string_view path) {
  std::string uri = absl::StartsWith(path, "/") ? "file://" : "";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) ||
        absl::StrContains("/._-~+", absl::string_view(&c, 1))) {
      uri.push_back(c);
    } else {
      absl::StrAppendFormat(&uri, "%%%02X", byte);
    }
  }
  return uri;
}

Json LocationOf(const CodeFrame& frame) {
  Json location = Json::object();
  if (!frame.file.empty()) {
    location["physicalLocation"]["artifactLocation"]["uri"] = UriOf(frame.file);
    if (frame.line != 0)
      location["physicalLocation"]["region"]["startLine"] = frame.line;
  } else if (!frame.module.empty()) {
    location["physicalLocation"]["artifactLocation"]["uri"] = UriOf(frame.module);
  }
  const std::string name =
      frame.function.empty()
          ? absl::StrFormat("%s+0x%x", Basename(frame.module), frame.offset)
          : frame.function;
  location["logicalLocations"] = {
      {{"fullyQualifiedName", name}, {"kind", "function"}}};
  return location;
}

class Sarif {
 public:
  Sarif(const LeakDocument& document, const StackBook& book)
      : document_(document), book_(book) {}

  Json StackJson(uint32_t node, absl::string_view message) const {
    Json frames = Json::array();
    const ShownStack stack = StackOf(book_, node, Fold::kPlumbingAndLibrary);
    for (const PlacedFrame& shown : stack.frames)
      frames.push_back({{"location", LocationOf(book_.frame(shown.frame))}});
    return {{"message", {{"text", std::string(message)}}},
            {"frames", std::move(frames)}};
  }

  Json ResultOf(size_t rule, uint32_t node, const std::string& message,
                size_t suppression) const {
    const ShownStack stack = StackOf(book_, node, Fold::kPlumbingAndLibrary);
    Json result = {{"ruleId", kRules[rule].id},   {"ruleIndex", rule},
                   {"level", kRules[rule].level}, {"message", {{"text", message}}},
                   {"locations", Json::array()},  {"stacks", Json::array()}};
    uint64_t print = 14695981039346656037u;  // FNV-1a over what the stack reads
    if (!stack.frames.empty()) {
      result["locations"].push_back(
          LocationOf(book_.frame(stack.frames[stack.folded].frame)));
      result["stacks"].push_back(StackJson(node, "allocated here"));
    }
    for (const PlacedFrame& shown : stack.frames) {
      const CodeFrame& frame = book_.frame(shown.frame);
      for (const char c : absl::StrCat(kRules[rule].id, frame.function, "\n",
                                       Basename(frame.file), "\n")) {
        print = (print ^ static_cast<unsigned char>(c)) * 1099511628211u;
      }
    }
    result["partialFingerprints"] = {
        {"callStack/v1", absl::StrFormat("%016x", print)}};
    if (suppression != kNoSuppression) {
      result["suppressions"] = {
          {{"kind", "external"},
           {"justification", document_.suppressions[suppression].name}}};
    }
    return result;
  }

 private:
  const LeakDocument& document_;
  const StackBook& book_;
};

}  // namespace

std::string RenderSarif(const LeakDocument& document, const StackBook& book,
                        KindSet kinds, absl::string_view version) {
  const Sarif sarif(document, book);
  Json rules = Json::array(), results = Json::array();
  for (const Rule& rule : kRules) {
    rules.push_back({{"id", rule.id},
                     {"shortDescription", {{"text", rule.text}}},
                     {"defaultConfiguration", {{"level", rule.level}}}});
  }
  for (const LeakRecord& record : document.records) {
    if (!Has(kinds, record.kind) || record.change == Change::kGone) continue;
    Json result =
        sarif.ResultOf(static_cast<size_t>(record.kind), record.node,
                       absl::StrCat(AmountText(record), ": ",
                                    WhyText(document, book, record, " → ")),
                       record.suppression);
    if (record.change == Change::kNew) {
      result["baselineState"] = "new";
    } else if (record.change == Change::kSame) {
      result["baselineState"] = "unchanged";
    } else if (record.change != Change::kNone) {
      result["baselineState"] = "updated";
    }
    results.push_back(std::move(result));
  }
  for (const MismatchView& mismatch : document.mismatches) {
    Json result =
        sarif.ResultOf(kMismatchRule, mismatch.freed,
                       MismatchText(mismatch.mismatch), mismatch.suppression);
    if (!result["stacks"].empty())
      result["stacks"][0]["message"]["text"] = "freed here";
    if (mismatch.allocated >= kFirstStackId)
      result["stacks"].push_back(
          sarif.StackJson(mismatch.allocated, "allocated here"));
    results.push_back(std::move(result));
  }
  const Json json = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                     {"version", "2.1.0"},
                     {"runs",
                      {{{"tool",
                         {{"driver",
                           {{"name", "mallogram"},
                            {"version", std::string(version)},
                            {"rules", std::move(rules)}}}}},
                        {"columnKind", "utf16CodeUnits"},
                        {"results", std::move(results)}}}}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mallogram
