#include "preload/collector/trace_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "preload/collector/resource_limits.h"
#include "preload/trace/chunk_io.h"

namespace mallogram {

TraceWriter::~TraceWriter() {
  if (fd_ >= 0) close(fd_);
}

absl::Status TraceWriter::Create(const std::string& path, int compression_level,
                                 uint32_t version) {
  path_ = path;
  level_ = compression_level;
  fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
             0600);
  if (fd_ < 0) {
    const int error = errno;
    const std::string message = absl::StrCat(
        "cannot create ", path, ": ", std::strerror(error), LimitBehind(error));
    if (error == EEXIST) return absl::AlreadyExistsError(message);
    return absl::UnavailableError(message);
  }
  if (!WriteBytes(EncodeFileHeader(version))) {
    unlink(path.c_str());
    return absl::UnavailableError(trouble_);
  }
  return absl::OkStatus();
}

bool TraceWriter::WriteBytes(std::string_view bytes) {
  if (fd_ < 0) return false;
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = write(fd_, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      GiveUp(n == 0 ? ENOSPC : errno);
      return false;
    }
    done += static_cast<size_t>(n);
  }
  offset_ += bytes.size();
  return true;
}

void TraceWriter::GiveUp(int error) {
  trouble_ = absl::StrCat("cannot write ", path_, ": ", std::strerror(error),
                          LimitBehind(error), "; the trace is cut there");
  // Whole chunks only. If even that fails, a reader copes with a torn last one.
  if (ftruncate(fd_, static_cast<off_t>(offset_)) != 0) {
    trouble_ += " (within a chunk)";
  }
  close(fd_);
  fd_ = -1;
}

void TraceWriter::Write(ChunkType type, std::string_view payload,
                        IndexEntry entry) {
  if (fd_ < 0) return;
  entry.type = type;
  entry.offset = offset_;
  const std::string chunk = EncodeChunk(type, sequence_, payload, level_);
  if (!WriteBytes(chunk)) return;
  ++sequence_;
  index_.push_back(entry);
  if (type == ChunkType::kEvents) event_bytes_ += chunk.size();
}

bool TraceWriter::Close() {
  if (fd_ < 0) return false;
  const uint64_t index_offset = offset_;
  const std::string payload = EncodeIndex(index_);
  Write(ChunkType::kIndex, payload);
  if (!WriteBytes(EncodeTrailer(index_offset))) return false;
  const int result = close(fd_);
  fd_ = -1;
  if (result != 0 && errno != EINTR) {
    trouble_ = absl::StrCat("cannot write ", path_, ": ", std::strerror(errno));
    return false;
  }
  return true;
}

}  // namespace mallogram
