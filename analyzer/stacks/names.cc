#include "analyzer/stacks/names.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace mallogram {
namespace {

constexpr absl::string_view kAllocators[] = {
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "free",
    "cfree",
    "__libc_malloc",
    "__libc_calloc",
    "__libc_realloc",
    "__libc_memalign",
    "operator new",
    "operator new[]",
    "operator delete",
    "operator delete[]",
    "mallogram_pool_alloc",
    "mallogram::Pool::Alloc",
};

// Position after the bracket that closes the one at `open`; npos: unbalanced.
size_t SkipBrackets(absl::string_view name, size_t open) {
  int depth = 0;
  for (size_t i = open; i < name.size(); ++i) {
    const char c = name[i];
    // "operator<", "operator->", "operator()" are names, and "->" an arrow.
    if (c == '-' && i + 1 < name.size() && name[i + 1] == '>') {
      ++i;
      continue;
    }
    if (c == '<' || c == '(' || c == '[' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == ']' || c == '}') {
      if (--depth == 0) return i + 1;
    }
  }
  return absl::string_view::npos;
}

// The length of an operator's name at `at` ("operator" included), 0 if there is
// none: its brackets are not brackets.
size_t OperatorLength(absl::string_view name, size_t at) {
  constexpr absl::string_view kOperator = "operator";
  if (!absl::StartsWith(name.substr(at), kOperator)) return 0;
  if (at > 0 && (absl::ascii_isalnum(static_cast<unsigned char>(name[at - 1])) ||
                 name[at - 1] == '_')) {
    return 0;
  }
  const absl::string_view rest = name.substr(at + kOperator.size());
  for (const absl::string_view symbol :
       {" new[]", " delete[]", " new", " delete", "()", "[]", "->*", "->",
        "<<=", ">>=", "<=>", "<<", ">>", "<=", ">=", "<", ">"}) {
    if (absl::StartsWith(rest, symbol)) return kOperator.size() + symbol.size();
  }
  return 0;
}

constexpr absl::string_view kAnonymous = "(anonymous namespace)";
constexpr absl::string_view kAnonymousShort = "(anon)";

}  // namespace

std::string Demangle(const char* name) {
  absl::string_view symbol = name;
  for (const absl::string_view suffix :
       {"@", ".part.", ".isra.", ".constprop.", ".cold", ".lto_priv.", ".llvm."}) {
    symbol = symbol.substr(0, symbol.find(suffix));
  }
  const std::string plain(symbol);
  if (!absl::StartsWith(plain, "_Z")) return plain;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(plain.c_str(), nullptr, nullptr, &status), std::free);
  return text == nullptr ? plain : text.get();
}

namespace {

enum class Templates { kKeep, kDots, kDrop };

// The qualified name alone, with its template arguments as `templates` says.
std::string Strip(absl::string_view name, Templates templates) {
  std::string bare;
  for (size_t i = 0; i < name.size();) {
    const absl::string_view rest = name.substr(i);
    if (const size_t length = OperatorLength(name, i); length != 0) {
      absl::StrAppend(&bare, rest.substr(0, length));
      i += length;
      continue;
    }
    const char c = name[i];
    if (c == '<' || absl::StartsWith(rest, " <")) {
      const size_t open = c == '<' ? i : i + 1;
      const size_t after = SkipBrackets(name, open);
      if (after == absl::string_view::npos) break;
      if (templates == Templates::kKeep) {
        absl::StrAppend(&bare, name.substr(open, after - open));
      } else if (templates == Templates::kDots) {
        absl::StrAppend(&bare, "<>");
      }
      i = after;
    } else if (absl::StartsWith(rest, kAnonymous)) {
      absl::StrAppend(&bare, kAnonymous);
      i += kAnonymous.size();
    } else if (absl::StartsWith(rest, kAnonymousShort)) {
      absl::StrAppend(&bare, kAnonymousShort);
      i += kAnonymousShort.size();
    } else if (absl::StartsWith(rest, "{lambda(")) {
      absl::StrAppend(&bare, "{lambda}");
      i = SkipBrackets(name, i);
      if (i == absl::string_view::npos) break;
    } else if (c == '(') {
      const size_t after = SkipBrackets(name, i);
      if (after == absl::string_view::npos) break;
      if (bare == "decltype") {  // a return type
        bare.clear();
        i = after;
        continue;
      }
      // Parameters end the name, unless they are an outer function's.
      absl::string_view tail = name.substr(after);
      while (absl::ConsumePrefix(&tail, " const") ||
             absl::ConsumePrefix(&tail, "&")) {
      }
      if (!absl::StartsWith(tail, "::")) break;
      i = name.size() - tail.size();
    } else if (c == '[' || absl::StartsWith(rest, " [")) {
      break;  // " [clone .cold]", "[abi:cxx11]"
    } else if (c == ' ' && absl::EndsWith(bare, "operator")) {
      bare.push_back(c);  // "operator bool"
      ++i;
    } else if (c == ' ') {
      bare.clear();  // that was a return type
      ++i;
    } else {
      bare.push_back(c);
      ++i;
    }
  }
  return bare;
}

// Spells the library's own types as people write them.
std::string Simplify(absl::string_view name) {
  std::string text = absl::StrReplaceAll(
      name, {{"std::__cxx11::basic_string<char, std::char_traits<char>, "
              "std::allocator<char> >",
              "std::string"},
             {"std::basic_string_view<char, std::char_traits<char> >",
              "std::string_view"},
             {"(anonymous namespace)", "(anon)"},
             {"std::__cxx11::", "std::"}});
  for (const absl::string_view argument :
       {", std::allocator<", ", std::default_delete<", ", std::char_traits<",
        ", std::less<", ", std::hash<", ", std::equal_to<"}) {
    for (size_t at = text.find(argument.data()); at != std::string::npos;
         at = text.find(argument.data(), at)) {
      const size_t after = SkipBrackets(text, at + argument.size() - 1);
      if (after == absl::string_view::npos) break;
      text.erase(at, after - at);
    }
  }
  return absl::StrReplaceAll(text, {{" >", ">"}});
}

}  // namespace

std::string BareName(absl::string_view name) {
  return Strip(name, Templates::kDrop);
}

std::string ShortName(absl::string_view name, size_t width, bool utf8) {
  const absl::string_view ellipsis = utf8 ? "…" : "..";
  const std::string simple = Simplify(name);
  for (const Templates templates :
       {Templates::kKeep, Templates::kDots, Templates::kDrop}) {
    std::string text = Strip(simple, templates);
    if (text.empty()) break;
    if (text.size() <= width) {
      return absl::StrReplaceAll(text, {{"<>", absl::StrCat("<", ellipsis, ">")}});
    }
  }
  std::string text = BareName(simple);
  if (text.empty()) text = std::string(name);
  if (text.size() <= width || width < 8) return text;
  // Qualification goes first: the end of a name says most.
  size_t cut = text.size() - (width - 1);
  const size_t scope = text.find("::", cut);
  if (scope != std::string::npos && scope - cut < width / 2) cut = scope;
  return absl::StrCat(ellipsis, text.substr(cut));
}

bool IsPlumbing(absl::string_view function) {
  if (function.empty()) return false;
  const std::string bare = BareName(function);
  for (const absl::string_view allocator : kAllocators) {
    if (bare == allocator) return true;
  }
  // An allocator for containers, by the name that the standard gives its function.
  if (absl::EndsWith(bare, "llocator::allocate")) return true;
  return absl::StartsWith(bare, "std::") || absl::StartsWith(bare, "__gnu_cxx::") ||
         absl::StartsWith(bare, "__cxxabiv1::");
}

absl::string_view Basename(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace mallogram
