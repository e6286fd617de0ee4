#include "analyzer/command/xml.h"

#include "absl/strings/str_replace.h"
#include "analyzer/command/format.h"

namespace mallogram {

std::string Xml(absl::string_view text) {
  return absl::StrReplaceAll(
      Printable(text, /*utf8=*/true),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

}  // namespace mallogram
