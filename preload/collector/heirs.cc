#include "preload/collector/heirs.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "preload/collector/processes.h"
#include "preload/image.h"

namespace mallogram {

Heirs::Heirs(const std::string& socket_path, std::function<void(int fd)> watch)
    : entry_(absl::StrCat(kEnvSocket, "=", socket_path)),
      watch_(std::move(watch)) {}

Heirs::~Heirs() {
  for (const int fd : pidfds_) close(fd);
}

// They fork and end while we look, hence the second look; from then on their ends
// wake us, and we look again.
bool Heirs::Find() {
  for (int look = 0; look < 2 && pidfds_.empty(); ++look) {
    for (const pid_t pid : ProcessesWithVariable(entry_)) {
      const int fd = OpenProcess(pid);
      if (fd < 0) continue;
      pidfds_.push_back(fd);
      watch_(fd);
    }
  }
  return !pidfds_.empty();
}

void Heirs::Gone(int fd) {
  pidfds_.erase(std::find(pidfds_.begin(), pidfds_.end(), fd));
  close(fd);
}

}  // namespace mallogram
