#include "preload/trace/marks.h"

#include <utility>

#include "preload/trace/bytes.h"

namespace mallogram {

std::string EncodeMarks(const Marks& marks) {
  ByteWriter out;
  out.Varint(marks.start_monotonic_ns);
  out.Varint(marks.marks.size());
  for (const Mark& mark : marks.marks) {
    out.String(mark.name);
    out.Varint(mark.events);
    out.Varint(mark.time_ns);
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
  if (!in.ok() || in.remaining() != 0)
    return absl::DataLossError("malformed marks chunk");
  return marks;
}

}  // namespace mallogram
