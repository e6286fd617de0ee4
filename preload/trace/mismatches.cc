#include "preload/trace/mismatches.h"

#include <utility>

#include "preload/trace/bytes.h"
#include "preload/trace/checked.h"

namespace mallogram {
namespace {

constexpr uint64_t kMinMismatchBytes = 18;

void EncodeMismatch(const Mismatch& m, ByteWriter* out) {
  out->Byte(static_cast<uint8_t>(m.type));
  out->Varint(m.count);
  out->Varint(m.time_ns);
  out->Varint(m.events);
  out->Varint(m.thread);
  out->Varint(m.address);
  out->Byte(static_cast<uint8_t>(m.allocated_by));
  out->Varint(m.allocated_stack);
  out->Varint(m.size);
  out->Varint(m.alignment);
  out->Varint(m.offset);
  out->Byte(static_cast<uint8_t>(m.freed_by));
  out->Varint(m.freed_stack);
  out->Byte(m.told_size ? 1 : 0);
  out->Varint(m.freed_size);
  out->Varint(m.freed_alignment);
  out->Byte(static_cast<uint8_t>(m.first_freed_by));
  out->Varint(m.first_freed_stack);
}

Mismatch DecodeMismatch(Checked* checked) {
  ByteReader& in = checked->in();
  Mismatch m;
  m.type = checked->Enum<MismatchType>(kMismatchTypes);
  m.count = in.Varint();
  m.time_ns = in.Varint();
  m.events = in.Varint();
  m.thread = checked->Id(kMaxThreads);
  m.address = in.Varint();
  m.allocated_by = checked->Enum<BlockKind>(kBlockKinds);
  m.allocated_stack = checked->Stack();
  m.size = in.Varint();
  m.alignment = in.Varint();
  m.offset = in.Varint();
  m.freed_by = checked->Enum<BlockKind>(kBlockKinds);
  m.freed_stack = checked->Stack();
  m.told_size = checked->Enum<uint8_t>(2) != 0;
  m.freed_size = in.Varint();
  m.freed_alignment = in.Varint();
  m.first_freed_by = checked->Enum<BlockKind>(kBlockKinds);
  m.first_freed_stack = checked->Stack();
  return m;
}

}  // namespace

std::string EncodeMismatches(const Mismatches& mismatches) {
  ByteWriter out;
  out.Varint(mismatches.left_out);
  out.Varint(mismatches.list.size());
  for (const Mismatch& m : mismatches.list) EncodeMismatch(m, &out);
  return out.Take();
}

absl::StatusOr<Mismatches> DecodeMismatches(std::string_view payload) {
  Checked checked(payload);
  Mismatches mismatches;
  mismatches.left_out = checked.in().Varint();
  const uint64_t count = checked.in().Count(kMinMismatchBytes);
  for (uint64_t i = 0; i < count && checked.in().ok(); ++i)
    mismatches.list.push_back(DecodeMismatch(&checked));
  return checked.Whole(std::move(mismatches), "mismatches");
}

}  // namespace mallogram
