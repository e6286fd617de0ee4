#include "preload/collector/hello.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "preload/image.h"

namespace mallogram {
namespace {

// A field of the image's header.
template <typename T>
T FieldOf(int image_fd, size_t offset) {
  T value{};
  const ssize_t got =
      pread(image_fd, &value, sizeof(value), static_cast<off_t>(offset));
  return got == sizeof(value) ? value : T{};
}

// The executable that the process named; empty if it named none.
std::string ExecutableIn(int image_fd) {
  const auto strings =
      FieldOf<uint64_t>(image_fd, offsetof(ImageHeader, string_chunks));
  const auto offset =
      FieldOf<uint32_t>(image_fd, offsetof(ImageHeader, executable_offset));
  char path[4096];
  const ssize_t got = offset == 0 ? 0
                                  : pread(image_fd, path, sizeof(path),
                                          static_cast<off_t>(strings + offset));
  return got > 0 ? std::string(path, strnlen(path, static_cast<size_t>(got))) : "";
}

}  // namespace

HelloResult ReceiveHello(int connection, uint64_t key, Hello* hello) {
  HelloMessage content{};
  iovec part{&content, sizeof(content)};
  alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary;
  message.msg_controllen = sizeof(ancillary);
  const ssize_t size =
      recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    return HelloResult::kNotYet;
  }
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); size > 0 && c != nullptr;
       c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
      memcpy(&hello->image_fd, CMSG_DATA(c), sizeof(hello->image_fd));
    }
  }
  if (hello->image_fd < 0) return HelloResult::kNothing;
  if (size != sizeof(content) || content.magic != kImageMagic ||
      content.version != kImageVersion) {
    return HelloResult::kOtherVersion;
  }
  if (key != 0 && content.key != key) return HelloResult::kNothing;
  hello->pid = content.pid;
  hello->parent = FieldOf<int32_t>(hello->image_fd, offsetof(ImageHeader, ppid));
  hello->executable = ExecutableIn(hello->image_fd);
  return HelloResult::kGood;
}

void RefuseImage(int image_fd) {
  constexpr uint32_t kFutexOwnerDied = 0x40000000;
  struct stat info;
  if (fstat(image_fd, &info) != 0 ||
      static_cast<uint64_t>(info.st_size) < sizeof(ImageHeader)) {
    return;
  }
  void* memory = mmap(nullptr, sizeof(ImageHeader), PROT_READ | PROT_WRITE,
                      MAP_SHARED, image_fd, 0);
  if (memory == MAP_FAILED) return;
  auto* header = static_cast<ImageHeader*>(memory);
  reinterpret_cast<std::atomic<uint32_t>*>(&header->collector_alive)
      ->store(kFutexOwnerDied, std::memory_order_release);
  munmap(memory, sizeof(ImageHeader));
}

void RefuseGuest(int connection) {
  if (connection < 0) return;
  Hello hello;
  ReceiveHello(connection, /*key=*/0, &hello);
  if (hello.image_fd >= 0) {
    RefuseImage(hello.image_fd);
    close(hello.image_fd);
  }
  close(connection);
}

int RefuseWaiting(int listen_fd) {
  fcntl(listen_fd, F_SETFL, O_NONBLOCK);
  for (int refused = 0;; ++refused) {
    const int connection = accept4(listen_fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return refused;
    RefuseGuest(connection);
  }
}

}  // namespace mallogram
