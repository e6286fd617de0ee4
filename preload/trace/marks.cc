#include "preload/trace/marks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "preload/trace/bytes.h"

namespace mallogram {
namespace {

constexpr size_t kScaleBytes = sizeof(double);

bool HasScale(const Mark& mark) { return mark.scale != 0; }

// Little-endian, whatever machine reads.
void PutScale(double scale, ByteWriter* out) {
  const auto bits = std::bit_cast<uint64_t>(scale);
  for (size_t i = 0; i < kScaleBytes; ++i)
    out->Byte(static_cast<uint8_t>(bits >> (8 * i)));
}
double TakeScale(ByteReader* in) {
  uint64_t bits = 0;
  for (size_t i = 0; i < kScaleBytes; ++i) bits |= uint64_t{in->Byte()} << (8 * i);
  const auto scale = std::bit_cast<double>(bits);
  return std::isfinite(scale) ? scale : 0;
}

}  // namespace

std::string EncodeMarks(const Marks& marks) {
  ByteWriter out;
  out.Varint(marks.start_monotonic_ns);
  out.Varint(marks.marks.size());
  for (const Mark& mark : marks.marks) {
    out.String(mark.name);
    out.Varint(mark.events);
    out.Varint(mark.time_ns);
  }
  // Not else, so that readers that know no scales read the rest.
  if (std::any_of(marks.marks.begin(), marks.marks.end(), HasScale)) {
    for (const Mark& mark : marks.marks) PutScale(mark.scale, &out);
  }
  return out.Take();
}

absl::StatusOr<Marks> DecodeMarks(std::string_view payload) {
  ByteReader in(payload);
  Marks marks;
  marks.start_monotonic_ns = in.Varint();
  marks.marks.resize(in.Count(3));
  for (Mark& mark : marks.marks) {
    mark.name = std::string(in.String());
    mark.events = in.Varint();
    mark.time_ns = in.Varint();
  }
  if (in.remaining() != 0) {
    for (Mark& mark : marks.marks) mark.scale = TakeScale(&in);
  }
  if (!in.ok() || in.remaining() != 0)
    return absl::DataLossError("malformed marks chunk");
  return marks;
}

}  // namespace mallogram
