#include "preload/collector/program_words.h"

#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

std::string Printable(const char* text, size_t bytes) {
  std::string result(text, strnlen(text, bytes));
  for (char& c : result) {
    if (c < ' ' || c > '~') c = '?';
  }
  return result;
}

}  // namespace

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
