// A small JSON writer: one object, written front to back, two spaces of
// indentation. Keys are literals of the program; text values are escaped (bytes
// outside ASCII are written as \u00XX). Numbers are the shortest form that reads
// back the same.

#ifndef WORKLOADS_COMMON_JSON_H_
#define WORKLOADS_COMMON_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace workloads {

class Json {
 public:
  Json() : out_("{") {}

  void Integer(std::string_view key, int64_t value);
  void Real(std::string_view key, double value);  // REQUIRES: finite
  void Boolean(std::string_view key, bool value);
  void String(std::string_view key, std::string_view value);

  void Open(std::string_view key) { OpenWith(key, '{'); }
  void OpenList(std::string_view key) { OpenWith(key, '['); }
  // An object inside a list.
  void OpenItem();
  void Close() { CloseWith('}'); }
  void CloseList() { CloseWith(']'); }

  // Closes the whole; REQUIRES: everything opened was closed. Call once.
  std::string Finish();

 private:
  void Begin();
  void Key(std::string_view key);
  void OpenWith(std::string_view key, char bracket);
  void CloseWith(char bracket);
  void Quote(std::string_view text);

  std::string out_;
  int depth_ = 1;
  bool first_ = true;
};

}  // namespace workloads

#endif  // WORKLOADS_COMMON_JSON_H_
