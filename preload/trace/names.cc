#include "preload/trace/names.h"

#include <utility>

#include "preload/trace/bytes.h"

namespace mallogram {
namespace {

class Decoder {
 public:
  explicit Decoder(std::string_view payload) : in_(payload) {}

  absl::StatusOr<NamesChunk> Decode() {
    names_.strings.resize(in_.Count());
    for (std::string& text : names_.strings) text = std::string(in_.String());
    names_.locations.resize(in_.Count(3));
    for (StoredLocation& location : names_.locations) {
      location.module = Number();
      location.offset = in_.Varint();
      location.frames.resize(in_.Count(5));
      for (StoredFrame& frame : location.frames) {
        frame.function = Text();
        frame.symbol = Text();
        frame.file = Text();
        frame.origin = Text();
        const uint64_t line = in_.Varint();
        frame.line = static_cast<uint32_t>(line >> 1);
        frame.inlined = (line & 1) != 0;
      }
    }
    names_.variables.resize(in_.Count(5));
    for (StoredVariable& variable : names_.variables) {
      variable.module = Number();
      variable.address = in_.Varint();
      variable.name = Text();
      variable.offset = in_.Varint();
      variable.section = Text();
    }
    names_.returned.resize(in_.Count(4));
    for (StoredReturned& returned : names_.returned) {
      returned.module = Number();
      returned.function = Text();
      const uint8_t flags = in_.Byte();
      returned.exists = (flags & 1) != 0;
      returned.constant = (flags & 2) != 0;
      returned.text = Text();
    }
    names_.notes.resize(in_.Count());
    for (uint32_t& note : names_.notes) note = Text();
    if (!in_.ok() || !ok_ || in_.remaining() != 0)
      return absl::DataLossError("malformed names chunk");
    return std::move(names_);
  }

 private:
  uint32_t Number() {
    const uint64_t number = in_.Varint();
    ok_ = ok_ && number <= UINT32_MAX;
    return static_cast<uint32_t>(number);
  }
  uint32_t Text() {
    const uint32_t text = Number();
    ok_ = ok_ && text < names_.strings.size();
    return text;
  }

  ByteReader in_;
  NamesChunk names_;
  bool ok_ = true;
};

}  // namespace

std::string EncodeNames(const NamesChunk& names) {
  ByteWriter out;
  out.Varint(names.strings.size());
  for (const std::string& text : names.strings) out.String(text);
  out.Varint(names.locations.size());
  for (const StoredLocation& location : names.locations) {
    out.Varint(location.module);
    out.Varint(location.offset);
    out.Varint(location.frames.size());
    for (const StoredFrame& frame : location.frames) {
      for (const uint32_t text :
           {frame.function, frame.symbol, frame.file, frame.origin}) {
        out.Varint(text);
      }
      out.Varint(uint64_t{frame.line} << 1 | (frame.inlined ? 1 : 0));
    }
  }
  out.Varint(names.variables.size());
  for (const StoredVariable& variable : names.variables) {
    out.Varint(variable.module);
    out.Varint(variable.address);
    out.Varint(variable.name);
    out.Varint(variable.offset);
    out.Varint(variable.section);
  }
  out.Varint(names.returned.size());
  for (const StoredReturned& returned : names.returned) {
    out.Varint(returned.module);
    out.Varint(returned.function);
    out.Byte(static_cast<uint8_t>((returned.exists ? 1 : 0) |
                                  (returned.constant ? 2 : 0)));
    out.Varint(returned.text);
  }
  out.Varint(names.notes.size());
  for (const uint32_t note : names.notes) out.Varint(note);
  return out.Take();
}

absl::StatusOr<NamesChunk> DecodeNames(std::string_view payload) {
  return Decoder(payload).Decode();
}

}  // namespace mallogram
