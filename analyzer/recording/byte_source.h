// Random access to the bytes of a trace: a file, or memory in tests. The size is
// taken once, at opening, so that a file that grows meanwhile is read as it was.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  // Up to `bytes` at `offset`: shorter only at the end. An error is one of the
  // medium, not of the content.
  virtual absl::StatusOr<std::string> Read(uint64_t offset, uint64_t bytes) = 0;
};

// A regular file. The message of an error is complete: it names the path.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenFile(absl::string_view path);

// `bytes` must outlive the source.
std::unique_ptr<ByteSource> MemorySource(absl::string_view bytes);

}  // namespace mallogram
