// kMismatches chunks: frees that do not fit the block that they free, or any block
// at all, as they were seen while the program ran (collector/mismatch_watch.h).
// None of them ended the program by our doing: the call went through as it was.
//
//   payload := left_out count mismatch*
//
// Written, even if empty, by every recording that looked for them; the last chunk
// of a file holds all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "preload/block_kind.h"
#include "preload/trace_format.h"

namespace mallogram {

enum class MismatchType : uint8_t {
  kKind = 0,       // freed by the wrong function: malloc/delete, new/delete[] …
  kSize = 1,       // by the right one, but told another size
  kAlignment = 2,  // aligned new and plain delete, the other way round, or another
                   // alignment
  kDouble = 3,     // it had been freed before
  kInterior = 4,   // an address within a block that is alive
  kForeign = 5,    // an address that no allocation function gave out
};
inline constexpr int kMismatchTypes = 6;

// All of one type with the same stacks; times, addresses and sizes are the first
// one's. Stack ids are 0 where there is none.
struct Mismatch {
  MismatchType type = MismatchType::kKind;
  uint64_t count = 0;
  uint64_t time_ns = 0;
  uint64_t events = 0;  // of the recording that came before
  uint32_t thread = 0;  // index, of the one that freed
  uint64_t address = 0;
  // The block; kUnknown and 0 for kForeign. `size` is what the program asked for;
  // alignment 0: the usual one.
  BlockKind allocated_by = BlockKind::kUnknown;
  uint32_t allocated_stack = 0;
  uint64_t size = 0, alignment = 0;
  // kInterior: how far in the block the address is.
  uint64_t offset = 0;
  BlockKind freed_by = BlockKind::kUnknown;
  uint32_t freed_stack = 0;
  // What the function was told, if it was.
  bool told_size = false;
  uint64_t freed_size = 0, freed_alignment = 0;
  // kDouble: who was first.
  BlockKind first_freed_by = BlockKind::kUnknown;
  uint32_t first_freed_stack = 0;
};

struct Mismatches {
  std::vector<Mismatch> list;
  uint64_t left_out = 0;  // of stacks beyond the list's limit
};

std::string EncodeMismatches(const Mismatches& mismatches);
absl::StatusOr<Mismatches> DecodeMismatches(std::string_view payload);

}  // namespace mallogram
