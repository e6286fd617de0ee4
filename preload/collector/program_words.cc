#include "preload/collector/program_words.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

constexpr uint32_t kMaxUnrecorded = 1u << 30;

std::string Printable(const char* text, size_t bytes) {
  std::string result(text, strnlen(text, bytes));
  for (char& c : result) {
    if (c < ' ' || c > '~') c = '?';
  }
  return result;
}

void AddBypasses(const ImageHeader& header, std::vector<std::string>* parts) {
  const uint32_t count = header.bypass_count.load();
  if (count == 0) return;
  for (uint32_t i = 0; i < std::min(count, kMaxBypasses); ++i) {
    const Bypass& bypass = header.bypasses[i];
    const std::string path = Printable(bypass.path, sizeof(bypass.path));
    switch (bypass.kind.load()) {
      case Bypass::kDeepBound:
        parts->push_back(
            absl::StrCat(path,
                         " was opened with RTLD_DEEPBIND, past the library: its "
                         "own calls are not seen"));
        break;
      case Bypass::kNamespace:
        parts->push_back(absl::StrCat(
            path,
            " was opened in a namespace of its own (dlmopen), with a libc of "
            "its own: its calls are not seen"));
        break;
      case Bypass::kOwnMalloc:
        parts->push_back(absl::StrCat(
            path, " defines malloc itself: calls bound to that are not seen"));
        break;
      default:
        break;
    }
  }
  if (count > kMaxBypasses)
    parts->push_back(absl::StrCat("so for ", count - kMaxBypasses, " more"));
  if (header.mismatches != 0)
    parts->push_back("frees of unknown addresses are not judged since");
}

}  // namespace

uint64_t CountUnrecorded(const ImageHeader& header, UnrecordedCounts* counts) {
  uint64_t sum = 0;
  for (int i = 1; i < kUnrecordables; ++i) {
    const uint32_t count = header.unrecorded_children[i].load();
    // Children that could not be executed are taken back; a scribble is no count.
    if (count > kMaxUnrecorded) continue;
    (*counts)[static_cast<size_t>(i)] += count;
    sum += count;
  }
  return sum;
}

std::string WordsOfUnrecorded(const UnrecordedCounts& counts) {
  uint64_t sum = 0;
  std::string reasons;
  for (size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    sum += counts[i];
    absl::StrAppend(&reasons, reasons.empty() ? "" : ", ", counts[i], " ",
                    kUnrecordableWords[i]);
  }
  if (sum == 0) return "";
  return absl::StrCat(sum, sum == 1 ? " process was" : " processes were",
                      " not recorded: ", reasons);
}

std::string WordsOf(const ImageHeader& header, uint32_t damaged_rings) {
  std::vector<std::string> parts;
  if (header.program_state.load() ==
      static_cast<uint32_t>(ProgramState::kDetached)) {
    parts.push_back(Printable(header.detach_reason, sizeof(header.detach_reason)));
  }
  if (header.own_malloc == 1) {
    parts.push_back(
        "the executable defines malloc itself: its own calls are not seen");
  }
  AddBypasses(header, &parts);
  UnrecordedCounts unrecorded{};
  if (CountUnrecorded(header, &unrecorded) != 0) {
    parts.push_back(WordsOfUnrecorded(unrecorded));
  }
  if (damaged_rings != 0) {
    parts.push_back(
        absl::StrCat(damaged_rings, " rings were overwritten by the program"));
  }
  if (header.verify != 0 && header.verify_first[0] != '\0') {
    parts.push_back(Printable(header.verify_first, sizeof(header.verify_first)));
  }
  std::string text;
  for (const std::string& part : parts) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", part);
  }
  return text;
}

}  // namespace mallogram
