#include "analyzer/stacks/demangle.h"

#include <cxxabi.h>
// libiberty would declare basename again, otherwise than string.h does.
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace mallogram {
namespace {

using Text = std::unique_ptr<char, void (*)(void*)>;

// "_ZN4core3ptr…17h0123456789abcdefE": Rust's older scheme looks like C++'s.
bool IsLegacyRust(absl::string_view symbol) {
  constexpr size_t kTail = 20;  // "17h", 16 digits, "E"
  if (!absl::StartsWith(symbol, "_ZN") || symbol.size() < kTail) return false;
  const absl::string_view tail = symbol.substr(symbol.size() - kTail);
  if (!absl::StartsWith(tail, "17h") || tail.back() != 'E') return false;
  for (const char digit : tail.substr(3, 16)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(digit))) return false;
  }
  return true;
}

// gfortran's "__depot_MOD_fill": the module's procedure.
std::string FortranName(absl::string_view symbol) {
  constexpr absl::string_view kInfix = "_MOD_";
  const size_t at = symbol.find(kInfix);
  if (!absl::StartsWith(symbol, "__") || at == absl::string_view::npos || at < 3 ||
      at + kInfix.size() == symbol.size()) {
    return "";
  }
  return absl::StrCat(symbol.substr(2, at - 2),
                      "::", symbol.substr(at + kInfix.size()));
}

}  // namespace

bool IsMangled(const char* name) {
  return absl::StartsWith(name, "_Z") || absl::StartsWith(name, "_R") ||
         absl::StartsWith(name, "_D") || !FortranName(name).empty();
}

bool IsRust(const char* name) {
  return absl::StartsWith(name, "_R") || IsLegacyRust(name);
}

std::string Demangle(const char* name) {
  absl::string_view symbol = name;
  for (const absl::string_view suffix :
       {"@", ".part.", ".isra.", ".constprop.", ".cold", ".lto_priv.", ".llvm."}) {
    symbol = symbol.substr(0, symbol.find(suffix));
  }
  const std::string plain(symbol);
  Text text(nullptr, std::free);
  if (IsRust(plain.c_str())) {
    text.reset(rust_demangle(plain.c_str(), 0));
  } else if (absl::StartsWith(plain, "_Z")) {
    int status = 0;
    text.reset(abi::__cxa_demangle(plain.c_str(), nullptr, nullptr, &status));
  } else if (absl::StartsWith(plain, "_D")) {
    text.reset(dlang_demangle(plain.c_str(), 0));
  } else if (const std::string procedure = FortranName(plain); !procedure.empty()) {
    return procedure;
  }
  return text == nullptr ? plain : text.get();
}

}  // namespace mallogram
