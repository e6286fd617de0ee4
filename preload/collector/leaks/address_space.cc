#include "preload/collector/leaks/address_space.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "absl/strings/str_cat.h"

namespace mallogram::leaks {
namespace {

// Reads a number and the character after it; false: it isn't there.
bool Number(std::string_view* text, int base, char after, uint64_t* value) {
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), *value, base);
  if (error != std::errc() || end == text->data() + text->size() || *end != after) {
    return false;
  }
  text->remove_prefix(static_cast<size_t>(end - text->data()) + 1);
  return true;
}

bool ParseLine(std::string_view line, Mapping* mapping) {
  uint64_t major = 0, minor = 0;
  if (!Number(&line, 16, '-', &mapping->start) ||
      !Number(&line, 16, ' ', &mapping->end) || line.size() < 5) {
    return false;
  }
  mapping->readable = line[0] == 'r';
  mapping->writable = line[1] == 'w';
  mapping->executable = line[2] == 'x';
  mapping->shared = line[3] == 's';
  line.remove_prefix(5);
  if (!Number(&line, 16, ' ', &mapping->offset) ||
      !Number(&line, 16, ':', &major) || !Number(&line, 16, ' ', &minor) ||
      !Number(&line, 10, ' ', &mapping->inode)) {
    return false;
  }
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  mapping->path = std::string(line);
  return mapping->start < mapping->end;
}

}  // namespace

std::vector<Mapping> ParseMaps(std::string_view text) {
  std::vector<Mapping> maps;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    // A blank, for lines without a name.
    const std::string line =
        absl::StrCat(absl::string_view(text.data(), end),
                     text.substr(0, end).ends_with(' ') ? "" : " ");
    Mapping mapping;
    if (ParseLine(line, &mapping)) {
      while (mapping.path.ends_with(' ')) mapping.path.pop_back();
      if (maps.empty() || maps.back().end <= mapping.start) maps.push_back(mapping);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return maps;
}

std::vector<Mapping> ReadMaps(pid_t pid) {
  std::string text;
  const int fd =
      open(absl::StrCat("/proc/", pid, "/maps").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char buffer[1 << 15];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return ParseMaps(text);
}

const Mapping* FindMapping(const std::vector<Mapping>& maps, uint64_t address) {
  const auto after = std::upper_bound(
      maps.begin(), maps.end(), address,
      [](uint64_t a, const Mapping& mapping) { return a < mapping.start; });
  if (after == maps.begin()) return nullptr;
  const Mapping& mapping = *std::prev(after);
  return address < mapping.end ? &mapping : nullptr;
}

void RangeSet::Add(uint64_t start, uint64_t end) {
  if (start >= end) return;
  auto at = ranges_.upper_bound(start);
  if (at != ranges_.begin() && std::prev(at)->second >= start) --at;
  while (at != ranges_.end() && at->first <= end) {
    start = std::min(start, at->first);
    end = std::max(end, at->second);
    at = ranges_.erase(at);
  }
  ranges_[start] = end;
}

void RangeSet::Remove(uint64_t start, uint64_t end) {
  if (start >= end) return;
  for (const auto& [from, to] : Common(start, end)) {
    const auto at = std::prev(ranges_.upper_bound(from));
    const uint64_t old_start = at->first, old_end = at->second;
    ranges_.erase(at);
    if (old_start < from) ranges_[old_start] = from;
    if (to < old_end) ranges_[to] = old_end;
  }
}

bool RangeSet::Contains(uint64_t address) const {
  const auto after = ranges_.upper_bound(address);
  return after != ranges_.begin() && address < std::prev(after)->second;
}

std::vector<std::pair<uint64_t, uint64_t>> RangeSet::Common(uint64_t start,
                                                            uint64_t end) const {
  std::vector<std::pair<uint64_t, uint64_t>> common;
  auto at = ranges_.upper_bound(start);
  if (at != ranges_.begin()) --at;
  for (; at != ranges_.end() && at->first < end; ++at) {
    const uint64_t from = std::max(start, at->first),
                   to = std::min(end, at->second);
    if (from < to) common.push_back({from, to});
  }
  return common;
}

std::vector<std::pair<uint64_t, uint64_t>> RangeSet::Missing(uint64_t start,
                                                             uint64_t end) const {
  std::vector<std::pair<uint64_t, uint64_t>> missing;
  for (const auto& [from, to] : Common(start, end)) {
    if (start < from) missing.push_back({start, from});
    start = to;
  }
  if (start < end) missing.push_back({start, end});
  return missing;
}

}  // namespace mallogram::leaks
