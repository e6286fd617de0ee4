#include "analyzer/command/report_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/format.h"
#include "preload/trace_format.h"

namespace mallogram {
namespace {

absl::Status CannotWrite(absl::string_view path, int error) {
  return absl::UnavailableError(
      path.empty()
          ? absl::StrCat("cannot write to standard output: ", strerror(error))
          : absl::StrCat("the report cannot be written to ", path, ": ",
                         strerror(error)));
}

// What can be known before the work.
absl::Status CheckPath(absl::string_view option, const std::string& path,
                       absl::string_view hint) {
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  const char* const is_wrong =
      absl::EndsWith(path, kTraceSuffix)     ? " would be taken for a recording"
      : exists && S_ISDIR(info.st_mode)      ? " is a directory"
      : !exists && absl::EndsWith(path, "/") ? " is no name of a file"
                                             : nullptr;
  if (is_wrong != nullptr) {
    return UsageError(absl::StrCat(option, " is where the report goes, and ", path,
                                   is_wrong, hint));
  }
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string written = exists           ? path
                              : parent.empty() ? std::string(".")
                                               : parent.string();
  return access(written.c_str(), W_OK) == 0 ? absl::OkStatus()
                                            : CannotWrite(path, errno);
}

}  // namespace

Option OutputRow(std::string* path, absl::string_view hint) {
  return {"--output", 'o', "FILE", "write the report to FILE",
          [path, hint = std::string(hint)](absl::string_view name,
                                           absl::string_view value) {
            const absl::Status status = Store(path)(name, value);
            return status.ok() ? CheckPath(name, *path, hint) : status;
          }};
}

Option ColorRow() {
  static constexpr absl::string_view kWhen[] = {"auto", "always", "never"};
  return {"--color", 0, "WHEN",
          "colours: auto (on a terminal; default), always or never",
          [](absl::string_view name, absl::string_view value) {
            ColorWhen when = ColorWhen::kAuto;
            const absl::Status status = OneOf(kWhen, &when)(name, value);
            if (status.ok()) SetColor(when);
            return status;
          }};
}

std::vector<Option> TerminalRows() {
  return {ColorRow(),
          {"--quiet", 'q', "", "no progress bar",
           [](absl::string_view, absl::string_view) {
             SetQuiet();
             return absl::OkStatus();
           }},
          {"--si", 0, "", "bytes in kB, MB, GB (10^3), not in KiB, MiB, GiB (2^10)",
           [](absl::string_view, absl::string_view) {
             SetSi();
             return absl::OkStatus();
           }}};
}

ReportFile::~ReportFile() {
  if (file_ != nullptr && file_ != stdout) fclose(file_);
}

Style ReportFile::style() const {
  return path_.empty() ? DetectStyle() : DetectStyle(-1);
}

void ReportFile::Write(absl::string_view text) {
  if (error_ != 0) return;
  if (file_ == nullptr)
    file_ = path_.empty() ? stdout : fopen(path_.c_str(), "wbe");
  if (file_ == nullptr ||
      fwrite(text.data(), 1, text.size(), file_) != text.size()) {
    error_ = errno;
  }
}

absl::Status ReportFile::Close() {
  if (file_ == nullptr && error_ == 0) Write("");
  if (error_ == 0 && fflush(file_) != 0) error_ = errno;
  if (file_ != nullptr && file_ != stdout && fclose(file_) != 0 && error_ == 0)
    error_ = errno;
  file_ = nullptr;
  if (error_ == 0) return absl::OkStatus();
  return CannotWrite(path_, error_);
}

absl::Status WriteReport(const std::string& path, absl::string_view text) {
  ReportFile file(path);
  file.Write(text);
  return file.Close();
}

absl::Status PrintOut(absl::string_view text) { return WriteReport("", text); }

}  // namespace mallogram
