#include "analyzer/plot/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/files.h"
#include "analyzer/plot/figure.h"
#include "analyzer/plot/image.h"
#include "analyzer/plot/text.h"

namespace mallogram::plot {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kDotsPerInch = 300;
// A pixel of the SVG is 1/96 inch.
constexpr double kPngScale = kDotsPerInch / 96.0;
// pngcairo counts fonts in points, 4/3 of a pixel; its dashes do not grow with
// lines.
constexpr double kPngFont = kPngScale * 0.75, kPngDash = kPngScale * 0.8;

// A directory that goes away with its files.
class Workplace {
 public:
  static absl::StatusOr<Workplace> Make(const fs::path& beside) {
    const fs::path parent = beside.has_parent_path() ? beside.parent_path() : ".";
    std::string name = (parent / ".mallogram-plot-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("can't write plots into ", parent.string()));
    }
    return Workplace(name);
  }
  Workplace(Workplace&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  Workplace& operator=(Workplace&&) = delete;
  ~Workplace() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  fs::path operator/(absl::string_view name) const {
    return path_ / std::string(name);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit Workplace(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

std::string TerminalCommands(double height) {
  const double png_height = std::round(height * kPngScale);
  return absl::StrFormat(
      "set terminal svg size %g,%g fixed noenhanced font 'DejaVu Sans,%g' "
      "background "
      "'#ffffff'\n"
      "set output 'plot.svg'\n"
      "load 'figure.gp'\n"
      "reset\n"
      "set terminal pngcairo size %g,%g noenhanced font 'DejaVu Sans,%g' fontscale "
      "%g "
      "linewidth %g dashlength %g pointscale %g background '#ffffff'\n"
      "set output 'plot.png'\n"
      "load 'figure.gp'\n"
      "unset output\n",
      kWidth, height, kTextSize, std::round(kWidth * kPngScale), png_height,
      kTextSize, kPngFont, kPngScale, kPngDash, kPngScale);
}

// What gnuplot complains about: its last line that says something.
std::string LastLine(absl::string_view text) {
  std::string last = "no message";
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) last = CleanText(line);
  }
  return last;
}

absl::Status Spawn(const Workplace& place) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, place.path().c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY,
                                   0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY,
                                   0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "errors",
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  std::string program = "gnuplot", defaults = "--default-settings",
              script = "plot.gp";
  char* const arguments[] = {program.data(), defaults.data(), script.data(),
                             nullptr};
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) {
    return absl::NotFoundError(
        "plots need gnuplot, which is not installed: install it (Debian: "
        "gnuplot-nox)");
  }
  if (error != 0) return absl::ErrnoToStatus(error, "can't start gnuplot");
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "can't wait for gnuplot");
  }
  if (WIFSIGNALED(status)) {
    return absl::InternalError(
        absl::StrCat("gnuplot was ended by signal ", WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    return absl::InternalError(absl::StrCat(
        "gnuplot: ",
        LastLine(ReadTextFile((place / "errors").string()).value_or(""))));
  }
  return absl::OkStatus();
}

absl::Status Move(const fs::path& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("can't write ", to));
}

}  // namespace

absl::Status RunGnuplot(const std::string& script, double height,
                        absl::string_view stem) {
  const absl::StatusOr<Workplace> place =
      Workplace::Make(fs::path(std::string(stem)));
  if (!place.ok()) return place.status();
  for (const auto& [name, content] :
       {std::pair<absl::string_view, std::string>{"figure.gp", script},
        {"plot.gp", TerminalCommands(height)}}) {
    if (absl::Status status = WriteTextFile((*place / name).string(), content);
        !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = Spawn(*place); !status.ok()) return status;

  const std::string svg = ReadTextFile((*place / "plot.svg").string()).value_or("");
  if (svg.empty()) return absl::InternalError("gnuplot wrote no SVG");
  const absl::StatusOr<std::string> png = WithResolution(
      ReadTextFile((*place / "plot.png").string()).value_or(""), kDotsPerInch);
  if (!png.ok()) return png.status();
  for (const auto& [name, content] :
       {std::pair<absl::string_view, std::string>{"tidy.svg", TidySvg(svg)},
        {"tidy.png", *png}}) {
    if (absl::Status status = WriteTextFile((*place / name).string(), content);
        !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = Move(*place / "tidy.svg", absl::StrCat(stem, ".svg"));
      !status.ok()) {
    return status;
  }
  return Move(*place / "tidy.png", absl::StrCat(stem, ".png"));
}

}  // namespace mallogram::plot
