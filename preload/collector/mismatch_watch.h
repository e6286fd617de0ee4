// Does each free fit its block? Follows the blocks alive and the frees of late, if
// the library says kinds (ImageHeader.mismatches); what does not fit is added up by
// type and stacks.
//
// What is never reported, because it need not be wrong:
//   - a block or a free whose kind was not seen: an operator new that did not end
//   in
//     one malloc of that very block (a pool of the program's), a delete that did
//     something else than free
//   - the free of an unknown address where there are blocks of before (`may_hide`:
//   a
//     forked child). A second free of it is a double free.
//   - a block of malloc's or a free out of code that has operators of its own, or
//     was bound to libc's
//   - any free of an address that is not live where addresses can't be trusted:
//   with
//     an allocator of more entry points than malloc's family, with --on-full drop,
//     with code that the library does not see (ImageHeader.bypasses)
// A double free is seen if the address was among the last kRemembered ones freed
// and was not given out again meanwhile; if it was, the free ends the wrong block's
// life here as it does in the program.
//
// Stack ids are the image's until List(). Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "preload/collector/ring_stream.h"
#include "preload/trace/mapped_array.h"
#include "preload/trace/mismatches.h"

namespace mallogram {

class MismatchWatch {
 public:
  static constexpr uint32_t kRemembered = 1 << 16;
  static constexpr size_t kMaxListed = 4096;

  // Where in the recording something happened.
  struct Moment {
    uint64_t time_ns = 0, events = 0;
    uint32_t thread = 0;
  };

  explicit MismatchWatch(bool may_hide) : may_hide_(may_hide) {}

  void Allocate(uint32_t stream, uint32_t slot, const Record& record);
  // kKind, kFreeNote and kUnfollowed; others are not for us.
  void Note(uint32_t stream, uint32_t slot, const Record& record);
  void Free(uint32_t stream, uint32_t slot, const Moment& moment);
  void FreeUnknown(uint32_t stream, uint64_t address, const Moment& moment);

  // Of blocks of malloc's, and of frees, whose stacks `unsure` is true for, nobody
  // knows which operators the program called.
  void SetUnsure(std::function<bool(uint32_t)> unsure) {
    unsure_ = std::move(unsure);
  }

  // Stacks by `translate`: image id to the file's.
  Mismatches List(const std::function<uint32_t(uint32_t)>& translate) const;
  // Not every event is recorded: an address may have been given out unseen, so no
  // more than wrong kinds and sizes from now on.
  void TrustNoAddress() { trusted_ = false; }

 private:
  struct Block {  // by slot
    uint64_t address, size;
    uint32_t stack;
    BlockKind kind;
    uint8_t alignment_log2;
    bool alive;
  };
  struct FreeNote {
    uint64_t address = 0, size = 0;
    uint32_t stack = 0;
    uint64_t word0 = 0;  // 0: none
  };
  // A free of late. The block is as it was.
  struct Freed {
    Block block = {};
    uint32_t stack = 0;
    BlockKind kind = BlockKind::kUnknown;
  };
  // Notes come before their frees on the same stream; a delete of the program's own
  // may free other blocks in between.
  static constexpr uint32_t kPending = 4;
  struct Stream {
    FreeNote pending[kPending];
    uint32_t next = 0;
    uint32_t last_slot = 0;  // allocated last + 1; 0: none, or tagged
  };
  using Key = std::tuple<uint8_t, uint8_t, uint8_t, uint32_t, uint32_t, uint32_t>;

  Stream& StreamAt(uint32_t stream);
  FreeNote TakeNote(Stream* s, uint64_t address);
  void Tag(Stream* s, uint32_t slot, const Record& record);
  void Judge(const Block& block, const FreeNote& note, const Moment& moment);
  void Remember(const Block& block, const FreeNote& note);
  const Block* Around(uint64_t address);
  Mismatch Describe(MismatchType type, const Block& block, const FreeNote& note,
                    const Moment& moment) const;
  void Add(const Mismatch& mismatch);

  BlockKind KindAt(uint32_t stack, BlockKind kind) const {
    return unsure_ && unsure_(stack) ? BlockKind::kUnknown : kind;
  }

  std::function<bool(uint32_t)> unsure_;
  const bool may_hide_;
  bool trusted_ = true;
  SparseArray<Block> blocks_;
  uint64_t block_count_ = 0;
  std::vector<Stream> streams_;
  // The last frees, in the order of time, and which of them an address's is.
  std::vector<Freed> freed_;
  uint32_t next_freed_ = 0;
  absl::flat_hash_map<uint64_t, uint32_t> freed_at_;
  uint64_t looked_around_ = 0;  // blocks, for interior pointers
  absl::flat_hash_map<Key, size_t> index_;
  Mismatches found_;
};

}  // namespace mallogram
