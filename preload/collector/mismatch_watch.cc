#include "preload/collector/mismatch_watch.h"

#include <algorithm>

#include "preload/collector/live_map.h"
#include "preload/ring.h"

namespace mallogram {
namespace {

// malloc's own promise: new with an alignment up to this is plain new to libstdc++.
constexpr uint64_t kUsualAlignment = 16;
// Interior pointers are looked for among all blocks alive, one after the other; a
// program that frees such pointers by the million is not to stall for that.
constexpr uint64_t kMostLookedAround = uint64_t{1} << 31;

uint64_t AlignmentOf(uint32_t log2) { return log2 == 0 ? 0 : uint64_t{1} << log2; }

}  // namespace

MismatchWatch::Stream& MismatchWatch::StreamAt(uint32_t stream) {
  if (stream >= streams_.size()) streams_.resize(stream + 1);
  return streams_[stream];
}

void MismatchWatch::Allocate(uint32_t stream, uint32_t slot, const Record& record) {
  const BlockKind kind = KindAt(record.stack, BlockKind::kMalloc);
  blocks_[slot] = {record.address, record.size, record.stack, kind, 0, true};
  block_count_ = std::max(block_count_, uint64_t{slot} + 1);
  StreamAt(stream).last_slot = slot + 1;
}

void MismatchWatch::Note(uint32_t stream, uint32_t slot, const Record& record) {
  if (record.op == RecordOp::kUnfollowed) {
    freed_at_.erase(record.address);
    return;
  }
  Stream& s = StreamAt(stream);
  switch (SubtypeOf(record.count)) {
    case Extended::kKind:
      if (slot < LiveMap::kUnfollowed) Tag(&s, slot, record);
      break;
    case Extended::kFreeNote:
      s.pending[s.next++ % kPending] = {record.address, record.size, record.stack,
                                        record.count};
      break;
    default:
      break;
  }
}

// The operator returned this block. It is of its kind if the operator took it from
// malloc just now, for nothing else; if it comes from elsewhere (the first object
// in a slab of an allocator of the program's own, say), its kind is nobody's
// business.
void MismatchWatch::Tag(Stream* s, uint32_t slot, const Record& record) {
  Block& block = blocks_[slot];
  const uint64_t alignment = AlignmentOf(NoteAlignmentLog2(record.count));
  // libstdc++ asks for one byte instead of none, and for whole alignments.
  const uint64_t slack = std::max(alignment, uint64_t{1});
  const bool its_own = s->last_slot == slot + 1 && block.size >= record.size &&
                       block.size - record.size <= slack;
  block.kind = its_own ? NoteKind(record.count) : BlockKind::kUnknown;
  if (!its_own) return;
  block.size = record.size;
  block.alignment_log2 = static_cast<uint8_t>(NoteAlignmentLog2(record.count));
}

// The latest of the address; older ones were for frees that never came (a realloc
// that failed, a block that is not followed).
MismatchWatch::FreeNote MismatchWatch::TakeNote(Stream* s, uint64_t address) {
  FreeNote found;
  for (uint32_t back = 1; back <= kPending; ++back) {
    FreeNote& note = s->pending[(s->next - back) % kPending];
    if (note.word0 == 0 || note.address != address) continue;
    if (found.word0 == 0) found = note;
    note = {};
  }
  return found;
}

void MismatchWatch::Free(uint32_t stream, uint32_t slot, const Moment& moment) {
  Block& block = blocks_[slot];
  if (!block.alive) return;
  const FreeNote note = TakeNote(&StreamAt(stream), block.address);
  if (note.word0 != 0) Judge(block, note, moment);
  block.alive = false;
  Remember(block, note);
}

void MismatchWatch::Judge(const Block& block, const FreeNote& note,
                          const Moment& moment) {
  const BlockKind freed_by = KindAt(note.stack, NoteKind(note.word0));
  if (!KindsFit(block.kind, freed_by)) {
    Add(Describe(MismatchType::kKind, block, note, moment));
    return;
  }
  if (block.kind == BlockKind::kUnknown || freed_by == BlockKind::kUnknown) return;
  if (NoteTellsSize(note.word0) && note.size != block.size) {
    Add(Describe(MismatchType::kSize, block, note, moment));
    return;
  }
  // free takes blocks of any alignment.
  const uint64_t told = AlignmentOf(NoteAlignmentLog2(note.word0));
  const uint64_t given = AlignmentOf(block.alignment_log2);
  const bool operators =
      block.kind == BlockKind::kNew || block.kind == BlockKind::kNewArray;
  if (operators && told != given && std::max(told, given) > kUsualAlignment)
    Add(Describe(MismatchType::kAlignment, block, note, moment));
}

void MismatchWatch::Remember(const Block& block, const FreeNote& note) {
  if (freed_.empty()) freed_.resize(kRemembered);
  const uint32_t at = next_freed_++ % kRemembered;
  const auto old = freed_at_.find(freed_[at].block.address);
  if (old != freed_at_.end() && old->second == at) freed_at_.erase(old);
  freed_[at] = {block, note.stack, NoteKind(note.word0)};
  freed_at_[block.address] = at;
}

// The address is not live.
void MismatchWatch::FreeUnknown(uint32_t stream, uint64_t address,
                                const Moment& moment) {
  const FreeNote note = TakeNote(&StreamAt(stream), address);
  if (note.word0 == 0 || !trusted_) return;
  const auto before = freed_at_.find(note.address);
  if (before != freed_at_.end()) {
    const Freed& first = freed_[before->second];
    Mismatch m = Describe(MismatchType::kDouble, first.block, note, moment);
    m.first_freed_by = first.kind;
    m.first_freed_stack = first.stack;
    Add(m);
    return;
  }
  if (const Block* const around = Around(note.address)) {
    Mismatch m = Describe(MismatchType::kInterior, *around, note, moment);
    m.offset = note.address - around->address;
    Add(m);
    return;
  }
  Block nothing{};
  nothing.address = note.address;
  if (!may_hide_) {
    Mismatch m = Describe(MismatchType::kForeign, nothing, note, moment);
    Add(m);
  }
  // The next free of it is a second one, whoever allocated it.
  Remember(nothing, note);
}

const MismatchWatch::Block* MismatchWatch::Around(uint64_t address) {
  if (looked_around_ > kMostLookedAround) return nullptr;
  looked_around_ += block_count_;
  for (uint64_t slot = 0; slot < block_count_; ++slot) {
    const Block& block = blocks_[slot];
    if (block.alive && address > block.address &&
        address - block.address < block.size) {
      return &block;
    }
  }
  return nullptr;
}

Mismatch MismatchWatch::Describe(MismatchType type, const Block& block,
                                 const FreeNote& note, const Moment& moment) const {
  Mismatch m;
  m.type = type;
  m.count = 1;
  m.time_ns = moment.time_ns;
  m.events = moment.events;
  m.thread = moment.thread;
  m.address = note.address;
  m.allocated_by = block.kind;
  m.allocated_stack = block.stack;
  m.size = block.size;
  m.alignment = AlignmentOf(block.alignment_log2);
  m.freed_by = NoteKind(note.word0);
  m.freed_stack = note.stack;
  m.told_size = NoteTellsSize(note.word0);
  m.freed_size = note.size;
  m.freed_alignment = AlignmentOf(NoteAlignmentLog2(note.word0));
  return m;
}

void MismatchWatch::Add(const Mismatch& m) {
  const Key key{static_cast<uint8_t>(m.type),
                static_cast<uint8_t>(m.allocated_by),
                static_cast<uint8_t>(m.freed_by),
                m.allocated_stack,
                m.freed_stack,
                m.first_freed_stack};
  const auto known = index_.find(key);
  if (known != index_.end()) {
    ++found_.list[known->second].count;
  } else if (found_.list.size() == kMaxListed) {
    ++found_.left_out;
  } else {
    index_[key] = found_.list.size();
    found_.list.push_back(m);
  }
}

Mismatches MismatchWatch::List(
    const std::function<uint32_t(uint32_t)>& translate) const {
  Mismatches result = found_;
  for (Mismatch& m : result.list) {
    m.allocated_stack = translate(m.allocated_stack);
    m.freed_stack = translate(m.freed_stack);
    m.first_freed_stack = translate(m.first_freed_stack);
  }
  return result;
}

}  // namespace mallogram
