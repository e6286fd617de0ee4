#include "analyzer/recording/rewrite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "preload/trace/chunk_io.h"

namespace mallogram {
namespace {

constexpr uint64_t kCopyBytes = uint64_t{1} << 20;

// Where the copy ends and how to go on from there.
struct Seam {
  uint64_t bytes = 0;     // of the file that stay
  uint32_t sequence = 0;  // of the next chunk
  bool has_index = false;
  std::vector<IndexEntry> index;  // of the chunks that stay
};

absl::StatusOr<Seam> FindSeam(Recording& recording) {
  const auto ignore = [](uint64_t, uint64_t) {};
  absl::StatusOr<const ChunkDirectory*> directory =
      recording.Directory(Chunks::kAll, ignore);
  if (!directory.ok()) return directory.status();
  const std::vector<ChunkRef>& chunks = (*directory)->chunks;
  if (chunks.empty()) {
    return absl::DataLossError(
        absl::StrCat(recording.path(), ": no part of it can be read"));
  }
  Seam seam;
  // Names that an earlier call wrote are last, but for the index.
  size_t count = chunks.size();
  if ((*directory)->from_index) {
    ByteSource& source = recording.source();
    const absl::StatusOr<std::string> tail =
        source.Read(source.size() - kTrailerBytes, kTrailerBytes);
    if (!tail.ok()) return tail.status();
    const absl::StatusOr<uint64_t> offset = DecodeTrailer(*tail);
    if (!offset.ok()) return offset.status();
    absl::StatusOr<std::string> bytes = source.Read(*offset, sizeof(ChunkHeader));
    if (!bytes.ok()) return bytes.status();
    const absl::StatusOr<ChunkHeader> header = DecodeChunkHeader(*bytes);
    if (!header.ok()) return header.status();
    const absl::StatusOr<std::string> payload =
        ReadChunk(source, {*offset, *header});
    if (!payload.ok()) return payload.status();
    absl::StatusOr<std::vector<IndexEntry>> index = DecodeIndex(*payload);
    if (!index.ok()) return index.status();
    seam.has_index = true;
    seam.index = *std::move(index);
    seam.bytes = *offset;
    seam.sequence = header->sequence;
    if (count != 0 && chunks[count - 1].header.type == ChunkType::kIndex) --count;
  } else {
    // Behind the last whole chunk may be the torn rest of one, which nobody can
    // use.
    const ChunkRef& last = chunks.back();
    seam.bytes = last.offset + sizeof(ChunkHeader) + last.header.stored_bytes;
    seam.sequence = last.header.sequence + 1;
  }
  for (; count > 0 && chunks[count - 1].header.type == ChunkType::kNames; --count) {
    seam.bytes = chunks[count - 1].offset;
    seam.sequence = chunks[count - 1].header.sequence;
  }
  seam.index.erase(std::remove_if(seam.index.begin(), seam.index.end(),
                                  [&seam](const IndexEntry& entry) {
                                    return entry.offset >= seam.bytes;
                                  }),
                   seam.index.end());
  return seam;
}

// A new file beside `path`, which takes its place or is gone again.
class NewFile {
 public:
  explicit NewFile(const std::string& path)
      : path_(path), name_(absl::StrCat(path, ".new.", getpid())) {
    fd_ = open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  }
  ~NewFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(name_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  absl::Status Write(absl::string_view bytes) {
    while (fd_ >= 0 && !bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return Trouble();
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return fd_ < 0 ? Trouble() : absl::OkStatus();
  }

  // Owner and permissions as those of `model`.
  absl::Status Commit(const std::string& model) {
    struct stat status;
    if (stat(model.c_str(), &status) == 0) {
      // Only root may give files away.
      if (fchown(fd_, status.st_uid, status.st_gid) != 0) errno = 0;
      if (fchmod(fd_, status.st_mode & 07777) != 0) return Trouble();
    }
    if (fsync(fd_) != 0 || rename(name_.c_str(), path_.c_str()) != 0)
      return Trouble();
    close(fd_);
    fd_ = -1;
    return absl::OkStatus();
  }

 private:
  absl::Status Trouble() const {
    return absl::UnavailableError(
        absl::StrCat(path_, ": cannot be written: ", strerror(errno)));
  }

  const std::string path_, name_;
  int fd_;
};

}  // namespace

absl::Status WriteWithNames(Recording& recording,
                            const std::vector<std::string>& payloads,
                            const std::string& path) {
  absl::StatusOr<Seam> seam = FindSeam(recording);
  if (!seam.ok()) return seam.status();
  NewFile file(path);
  ByteSource& source = recording.source();
  for (uint64_t offset = 0; offset < seam->bytes;) {
    const absl::StatusOr<std::string> piece =
        source.Read(offset, std::min(kCopyBytes, seam->bytes - offset));
    if (!piece.ok()) return piece.status();
    if (piece->empty())
      return absl::DataLossError(absl::StrCat(path, " got shorter"));
    const absl::Status status = file.Write(*piece);
    if (!status.ok()) return status;
    offset += piece->size();
  }
  uint64_t offset = seam->bytes;
  const auto write = [&](ChunkType type, absl::string_view payload) {
    IndexEntry entry;
    entry.type = type;
    entry.offset = offset;
    seam->index.push_back(entry);
    const std::string chunk = EncodeChunk(
        type, seam->sequence++, std::string_view(payload.data(), payload.size()));
    offset += chunk.size();
    return file.Write(chunk);
  };
  absl::Status status;
  for (const std::string& payload : payloads) {
    if (status.ok()) status = write(ChunkType::kNames, payload);
  }
  if (status.ok() && seam->has_index) {
    const uint64_t index_offset = offset;
    status = write(ChunkType::kIndex, EncodeIndex(seam->index));
    if (status.ok()) status = file.Write(EncodeTrailer(index_offset));
  }
  return status.ok() ? file.Commit(recording.path()) : status;
}

}  // namespace mallogram
