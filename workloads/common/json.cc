#include "workloads/common/json.h"

#include <array>
#include <cassert>
#include <charconv>
#include <utility>

namespace workloads {

void Json::Begin() {
  if (!first_) out_ += ',';
  first_ = false;
  out_ += '\n';
  out_.append(static_cast<size_t>(depth_) * 2, ' ');
}

void Json::Quote(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out_ += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (byte < 0x20 || byte > 0x7e) {
      out_ += "\\u00";
      out_ += kHex[byte >> 4];
      out_ += kHex[byte & 15];
    } else {
      out_ += c;
    }
  }
  out_ += '"';
}

void Json::Key(std::string_view key) {
  Begin();
  Quote(key);
  out_ += ": ";
}

void Json::Integer(std::string_view key, int64_t value) {
  Key(key);
  out_ += std::to_string(value);
}

void Json::Real(std::string_view key, double value) {
  Key(key);
  std::array<char, 40> digits;
  const std::to_chars_result end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value);
  assert(end.ec == std::errc());
  out_.append(digits.data(), end.ptr);
}

void Json::Boolean(std::string_view key, bool value) {
  Key(key);
  out_ += value ? "true" : "false";
}

void Json::String(std::string_view key, std::string_view value) {
  Key(key);
  Quote(value);
}

void Json::OpenWith(std::string_view key, char bracket) {
  Key(key);
  out_ += bracket;
  ++depth_;
  first_ = true;
}

void Json::OpenItem() {
  Begin();
  out_ += '{';
  ++depth_;
  first_ = true;
}

void Json::CloseWith(char bracket) {
  --depth_;
  assert(depth_ >= 1);
  if (!first_) {
    out_ += '\n';
    out_.append(static_cast<size_t>(depth_) * 2, ' ');
  }
  out_ += bracket;
  first_ = false;
}

std::string Json::Finish() {
  assert(depth_ == 1);
  out_ += "\n}\n";
  return std::move(out_);
}

}  // namespace workloads
