// What the terminal can show, what is said on standard error while a verb is at
// work, and the progress bar. The only place that asks what a descriptor is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace mallogram {

struct Style {
  bool color = false;
  bool utf8 = false;
  size_t width = 100;  // columns
};

// For standard output, or another descriptor; -1: a file. Colours only on a
// terminal, and not with NO_COLOR (set and not empty) or TERM=dumb, unless SetColor
// says otherwise. REQUIRES: setlocale() was called.
Style DetectStyle(int fd = 1);

// What the command line asks of this process, before anything is shown.
enum class ColorWhen { kAuto, kAlways, kNever };
void SetColor(ColorWhen when);
void SetQuiet();  // no progress bars
bool IsQuiet();

// "mallogram: TEXT", a line on standard error, in one write: lines of several
// processes do not mix. For what a verb has to say while it goes on; what ends it
// is an error, and main.cc's to print.
void Say(absl::string_view text);

// A bar on standard error, if that is a terminal, for what takes more than a
// second. Removed by Clear() or the destructor.
class ProgressBar {
 public:
  explicit ProgressBar(absl::string_view label);
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void SetLabel(absl::string_view label) { label_ = std::string(label); }
  void Update(uint64_t done, uint64_t total);  // cheap
  void Clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_;
  const bool enabled_;
  const bool utf8_;
  Clock::time_point next_;
  uint32_t skipped_ = 0;
  bool shown_ = false;
};

}  // namespace mallogram
