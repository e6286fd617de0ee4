// Command-line flags: --name VALUE, --name=VALUE, and switches --name, --no-name,
// --name=on|off. Every mistake is one line: what is wrong and what to give instead.

#ifndef WORKLOADS_COMMON_FLAGS_H_
#define WORKLOADS_COMMON_FLAGS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "workloads/common/json.h"

namespace workloads {

class Flags {
 public:
  // The values keep their defaults unless the flag is given; the pointers must
  // outlive Parse() and Write().
  void Count(const char* name, int64_t* value, int64_t low, int64_t high,
             const char* help);
  void Real(const char* name, double* value, double low, double high,
            const char* help);
  void Choice(const char* name, std::string* value,
              std::vector<std::string> choices, const char* help);
  void Switch(const char* name, bool* value, const char* help);
  void Path(const char* name, std::string* value, const char* help);
  void Repeated(const char* name, std::vector<std::string>* values,
                const char* help);

  // Returns what is wrong, empty when nothing is. Sets help_wanted() at --help.
  std::string Parse(int argc, const char* const* argv);
  bool help_wanted() const { return help_wanted_; }

  // A paragraph a flag, with defaults.
  std::string Describe() const;

  // "parameters": {flag: value}, all but paths and repeated ones.
  void Write(Json& json) const;

 private:
  struct Whole {
    int64_t* value;
    int64_t low, high;
  };
  struct Fraction {
    double* value;
    double low, high;
  };
  struct OneOf {
    std::string* value;
    std::vector<std::string> choices;
  };
  using Target = std::variant<Whole, Fraction, OneOf, bool*, std::string*,
                              std::vector<std::string>*>;
  struct Flag {
    std::string name;
    Target target;
    std::string help;
  };

  const Flag* Find(std::string_view name) const;
  static std::string Set(const Flag& flag, std::string_view value);

  std::vector<Flag> flags_;
  bool help_wanted_ = false;
};

}  // namespace workloads

#endif  // WORKLOADS_COMMON_FLAGS_H_
