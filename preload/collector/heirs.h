// Processes that are not recorded yet, but know our socket: a forked child connects
// only when it first allocates, which may be hours later.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace mallogram {

class Heirs {
 public:
  // `watch` has a descriptor watched that becomes readable when the process ends.
  Heirs(const std::string& socket_path, std::function<void(int fd)> watch);
  ~Heirs();
  Heirs(const Heirs&) = delete;
  Heirs& operator=(const Heirs&) = delete;

  // Looks for some, if none is known.
  bool Find();
  void Gone(int fd);

 private:
  const std::string entry_;  // of their environment
  const std::function<void(int)> watch_;
  std::vector<int> pidfds_;
};

}  // namespace mallogram
