#include "analyzer/recording/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

// pread, not mmap: a file that is cut short while it is read would be a SIGBUS.
class FileSource : public ByteSource {
 public:
  FileSource(std::string path, int fd, uint64_t size)
      : path_(std::move(path)), fd_(fd), size_(size) {}
  ~FileSource() override { close(fd_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  uint64_t size() const override { return size_; }

  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t bytes) override {
    if (offset >= size_) return std::string();
    bytes = std::min(bytes, size_ - offset);
    std::string result(bytes, '\0');
    uint64_t done = 0;
    while (done < bytes) {
      const ssize_t got = pread(fd_, result.data() + done, bytes - done,
                                static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        return absl::UnavailableError(absl::StrCat(
            path_, ": cannot read at byte ", offset + done, ": ", strerror(errno)));
      }
      if (got == 0) break;  // cut short since it was opened
      done += static_cast<uint64_t>(got);
    }
    result.resize(done);
    return result;
  }

 private:
  const std::string path_;
  const int fd_;
  const uint64_t size_;
};

class StringSource : public ByteSource {
 public:
  explicit StringSource(absl::string_view bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t bytes) override {
    if (offset >= bytes_.size()) return std::string();
    return std::string(bytes_.substr(offset, bytes));
  }

 private:
  const absl::string_view bytes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> OpenFile(absl::string_view path) {
  const std::string name(path);
  // O_NONBLOCK: a FIFO must not block the open; it is refused below.
  const int fd = open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    const std::string message =
        absl::StrCat(name, ": cannot be opened: ", strerror(error));
    if (error == ENOENT) return absl::NotFoundError(message);
    return absl::PermissionDeniedError(message);
  }
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(fd);
    return absl::FailedPreconditionError(absl::StrCat(
        name, S_ISDIR(status.st_mode) ? ": is a directory; name a .mgram file in it"
                                      : ": is not a regular file"));
  }
  return std::make_unique<FileSource>(name, fd,
                                      static_cast<uint64_t>(status.st_size));
}

std::unique_ptr<ByteSource> MemorySource(absl::string_view bytes) {
  return std::make_unique<StringSource>(bytes);
}

}  // namespace mallogram
