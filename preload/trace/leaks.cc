#include "preload/trace/leaks.h"

#include <utility>

#include "preload/trace/bytes.h"
#include "preload/trace/checked.h"
#include "preload/trace/records.h"

namespace mallogram {
namespace {

void EncodeGroup(const LeakGroup& group, ByteWriter* out) {
  out->Byte(static_cast<uint8_t>(group.kind));
  out->Varint(group.stack);
  out->Varint(group.blocks);
  out->Varint(group.bytes);
  out->Varint(group.indirect_blocks);
  out->Varint(group.indirect_bytes);
  out->Varint(group.oldest_ns);
  out->Varint(group.youngest_ns);
  out->Varint(group.thread);
  out->Byte(static_cast<uint8_t>(group.idiom));
  out->Varint(group.interior_offset);
  out->Byte(static_cast<uint8_t>(group.root.kind));
  out->Varint(group.root.module);
  out->Varint(group.root.address);
  out->Signed(group.root.tid);
  out->Varint(group.way.size());
  for (const LeakHop& hop : group.way) {
    out->Varint(hop.stack);
    out->Varint(hop.size);
    out->Varint(hop.offset);
    out->Varint(hop.repeats);
  }
  out->Varint(group.way_cut);
  out->Varint(group.head_stack);
}

LeakGroup DecodeGroup(Checked* checked) {
  ByteReader& in = checked->in();
  LeakGroup group;
  group.kind = checked->Enum<LeakClass>(kLeakClasses);
  group.stack = checked->Stack();
  group.blocks = in.Varint();
  group.bytes = in.Varint();
  group.indirect_blocks = in.Varint();
  group.indirect_bytes = in.Varint();
  group.oldest_ns = in.Varint();
  group.youngest_ns = in.Varint();
  group.thread = checked->Id(kMaxThreads);
  group.idiom = checked->Enum<PointerIdiom>(kPointerIdioms);
  group.interior_offset = in.Varint();
  group.root.kind = checked->Enum<RootKind>(kRootKinds);
  group.root.module = checked->Id(uint64_t{1} << 32);
  group.root.address = in.Varint();
  group.root.tid = in.Signed();
  group.way.resize(checked->Id(kMaxWay + 1));
  for (LeakHop& hop : group.way) {
    hop.stack = checked->Stack();
    hop.size = in.Varint();
    hop.offset = in.Varint();
    hop.repeats = in.Varint();
  }
  group.way_cut = in.Varint();
  group.head_stack = checked->Stack();
  return group;
}

}  // namespace

std::string EncodeLeakCheck(const LeakCheck& check) {
  ByteWriter out;
  out.Byte(static_cast<uint8_t>(check.cause));
  out.Signed(check.detail);
  out.Varint(check.time_ns);
  out.Varint(check.events);
  out.Byte(check.classified ? 1 : 0);
  out.String(check.reason);
  out.Varint(check.pause_ns);
  out.Varint(check.scan_ns);
  out.Varint(check.scanned_bytes);
  out.Varint(check.root_bytes);
  out.Varint(check.blocks);
  out.Varint(check.bytes);
  out.Varint(check.warnings.size());
  for (const std::string& warning : check.warnings) out.String(warning);
  out.Varint(check.groups.size());
  for (const LeakGroup& group : check.groups) EncodeGroup(group, &out);
  return out.Take();
}

absl::StatusOr<LeakCheck> DecodeLeakCheck(std::string_view payload) {
  constexpr uint64_t kMinGroupBytes = 18;
  Checked checked(payload);
  ByteReader& in = checked.in();
  LeakCheck check;
  check.cause = checked.Enum<CheckCause>(kCheckCauses);
  check.detail = in.Signed();
  check.time_ns = in.Varint();
  check.events = in.Varint();
  check.classified = checked.Enum<uint8_t>(2) != 0;
  check.reason = std::string(in.String());
  check.pause_ns = in.Varint();
  check.scan_ns = in.Varint();
  check.scanned_bytes = in.Varint();
  check.root_bytes = in.Varint();
  check.blocks = in.Varint();
  check.bytes = in.Varint();
  check.warnings.resize(in.Count(1));
  for (std::string& warning : check.warnings) warning = std::string(in.String());
  const uint64_t groups = in.Count(kMinGroupBytes);
  for (uint64_t i = 0; i < groups && in.ok(); ++i)
    check.groups.push_back(DecodeGroup(&checked));
  return checked.Whole(std::move(check), "leaks");
}

}  // namespace mallogram
