#include "analyzer/command/terminal.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/format.h"

namespace mallogram {
namespace {

constexpr std::chrono::milliseconds kPatience(1000), kRefresh(100);
constexpr size_t kBarWidth = 30;

// Of the command line; threads only read them.
ColorWhen color_when = ColorWhen::kAuto;
bool quiet = false;

// Reports are laid out for these. On narrower terminals lines are broken by the
// terminal, on wider ones the eye would lose them.
constexpr size_t kLeastWidth = 40, kMostWidth = 160;

bool IsUtf8() { return strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }

bool Is(const char* variable, const char* value) {
  const char* const set = getenv(variable);
  return set != nullptr && strcmp(set, value) == 0;
}

}  // namespace

Style DetectStyle(int fd) {
  Style style;
  style.utf8 = IsUtf8();
  style.color = color_when == ColorWhen::kAlways;
  // As ncurses has it: what the user sets counts, on terminals and in pipes.
  const char* const columns = getenv("COLUMNS");
  size_t wanted = 0;
  const bool is_set = columns != nullptr && absl::SimpleAtoi(columns, &wanted);
  if (is_set) style.width = std::clamp(wanted, kLeastWidth, kMostWidth);
  if (!isatty(fd)) return style;
  const char* const no_color = getenv("NO_COLOR");
  if (color_when == ColorWhen::kAuto)
    style.color = (no_color == nullptr || *no_color == '\0') && !Is("TERM", "dumb");
  struct winsize size;
  if (!is_set && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) {
    style.width = std::clamp<size_t>(size.ws_col, kLeastWidth, kMostWidth);
  }
  return style;
}

void SetColor(ColorWhen when) { color_when = when; }

void SetQuiet() { quiet = true; }

bool IsQuiet() { return quiet; }

void Say(absl::string_view text) {
  const std::string line = absl::StrCat("mallogram: ", text, "\n");
  [[maybe_unused]] const ssize_t ignored =
      write(STDERR_FILENO, line.data(), line.size());
}

ProgressBar::ProgressBar(absl::string_view label)
    : label_(label),
      enabled_(!quiet && isatty(STDERR_FILENO) != 0 && !Is("TERM", "dumb")),
      utf8_(IsUtf8()),
      next_(Clock::now() + kPatience) {}

void ProgressBar::Update(uint64_t done, uint64_t total) {
  // The clock is asked once in a few calls: callers report every item.
  if (!enabled_ || (++skipped_ & 15) != 0) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + kRefresh;
  shown_ = true;
  const double share =
      total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  fprintf(stderr, "\r%s %s %3.0f %%\x1b[K", label_.c_str(),
          Bar(share, kBarWidth, utf8_).c_str(), 100 * std::min(share, 1.0));
  fflush(stderr);
}

void ProgressBar::Clear() {
  if (!shown_) return;
  fputs("\r\x1b[K", stderr);
  fflush(stderr);
  shown_ = false;
}

}  // namespace mallogram
