#include "analyzer/plot/image.h"

#include <zlib.h>

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace mallogram::plot {
namespace {

constexpr absl::string_view kSignature("\x89PNG\r\n\x1a\n", 8);
// Length, "IHDR", 13 bytes of it, checksum: always first.
constexpr size_t kHeaderChunk = 4 + 4 + 13 + 4;

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((value >> shift) & 0xff));
  }
  return bytes;
}

std::string Chunk(absl::string_view type, absl::string_view content) {
  const std::string checked = absl::StrCat(type, content);
  const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(checked.data()),
                          static_cast<uInt>(checked.size()));
  return absl::StrCat(BigEndian(static_cast<uint32_t>(content.size())), checked,
                      BigEndian(static_cast<uint32_t>(sum)));
}

}  // namespace

absl::StatusOr<std::string> WithResolution(absl::string_view png,
                                           uint32_t dots_per_inch) {
  const size_t start = kSignature.size() + kHeaderChunk;
  if (!absl::StartsWith(png, kSignature) || png.size() < start ||
      png.substr(kSignature.size() + 4, 4) != "IHDR") {
    return absl::InternalError("gnuplot wrote a file that is no PNG");
  }
  constexpr double kInch = 0.0254;  // metres
  const std::string dots =
      BigEndian(static_cast<uint32_t>(std::lround(dots_per_inch / kInch)));
  const std::string resolution = Chunk("pHYs", absl::StrCat(dots, dots, "\x01"));
  return absl::StrCat(png.substr(0, start), resolution, png.substr(start));
}

std::string TidySvg(absl::string_view svg) {
  std::string tidy;
  for (absl::string_view line :
       absl::StrSplit(absl::StripSuffix(svg, "\n"), '\n')) {
    absl::StrAppend(&tidy, absl::StripTrailingAsciiWhitespace(line), "\n");
  }
  return absl::StrReplaceAll(
      tidy, {{"font-family=\"DejaVu Sans\"",
              "font-family=\"DejaVu Sans, Verdana, Arial, sans-serif\""},
             // gnuplot leaves '>' alone, which XML forbids just here.
             {"]]>", "]]&gt;"}});
}

}  // namespace mallogram::plot
