#include "analyzer/stacks/names.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "analyzer/stacks/demangle.h"

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
       {" new[]", " delete[]", " new", " delete", "\"\" ", "()", "[]", "->*", "->",
        "<<=", ">>=", "<=>", "<<", ">>", "<=", ">=", "<", ">"}) {
    if (absl::StartsWith(rest, symbol)) return kOperator.size() + symbol.size();
  }
  return 0;
}

// "operator unsigned long", "operator std::function<void (int)>": the length of a
// conversion's name at `at`, 0 if there is none. Its type may have blanks in it.
size_t ConversionLength(absl::string_view name, size_t at) {
  constexpr absl::string_view kOperator = "operator ";
  if (!absl::StartsWith(name.substr(at), kOperator) ||
      (at > 0 && name[at - 1] != ':' && name[at - 1] != ' ')) {
    return 0;
  }
  size_t i = at + kOperator.size();
  while (i < name.size() && name[i] != '(') {
    i = name[i] == '<' ? SkipBrackets(name, i) : i + 1;
  }
  return std::min(i, name.size()) - at;
}

// "{lambda(int)#2}" → "{lambda#2}"; "{closure#0}" and the like stay.
std::string BracesText(absl::string_view braces) {
  const size_t number = braces.rfind('#');
  if (!absl::StartsWith(braces, "{lambda(") || number == absl::string_view::npos)
    return std::string(braces);
  return absl::StrCat("{lambda", braces.substr(number));
}

std::string WithoutTemplates(absl::string_view type) {
  std::string text;
  for (size_t i = 0; i < type.size();) {
    if (type[i] != '<') {
      text.push_back(type[i++]);
      continue;
    }
    i = SkipBrackets(type, i);
    if (i == absl::string_view::npos) break;
  }
  return text;
}

constexpr absl::string_view kAnonymous = "(anonymous namespace)";
constexpr absl::string_view kAnonymousShort = "(anon)";

enum class Templates { kKeep, kDots, kDrop };

// The qualified name alone, with its template arguments as `templates` says.
class Stripper {
 public:
  Stripper(absl::string_view name, Templates templates)
      : name_(name), templates_(templates) {}

  std::string Run() {
    while (at_ < name_.size() && Step()) {
    }
    return std::move(bare_);
  }

 private:
  // False: the name has ended.
  bool Step() {
    const absl::string_view rest = name_.substr(at_);
    if (const size_t length = OperatorLength(name_, at_); length != 0)
      return Copy(length);
    if (const size_t length = ConversionLength(name_, at_); length != 0) {
      const absl::string_view conversion = rest.substr(0, length);
      absl::StrAppend(&bare_, templates_ == Templates::kKeep
                                  ? std::string(conversion)
                                  : WithoutTemplates(conversion));
      at_ += length;
      return true;
    }
    for (const absl::string_view scope : {kAnonymous, kAnonymousShort}) {
      if (absl::StartsWith(rest, scope)) return Copy(scope.size());
    }
    switch (rest[0]) {
      case '<':
        return bare_.empty() ? RustType() : Arguments(at_);
      case '(':
        return Parameters();
      case '{': {
        const size_t after = SkipBrackets(name_, at_);
        if (after == absl::string_view::npos) return false;
        absl::StrAppend(&bare_, BracesText(name_.substr(at_, after - at_)));
        at_ = after;
        return true;
      }
      case '[': {  // "[abi:cxx11]"; else "[clone .cold]"
        const size_t after = SkipBrackets(name_, at_);
        if (after == absl::string_view::npos || !absl::StartsWith(rest, "[abi:"))
          return false;
        at_ = after;
        return true;
      }
      case ' ':
        if (absl::StartsWith(rest, " <")) return Arguments(at_ + 1);
        if (absl::StartsWith(rest, " [")) return false;
        bare_.clear();  // that was a return type
        ++at_;
        return true;
      default:
        return Copy(1);
    }
  }

  bool Copy(size_t length) {
    absl::StrAppend(&bare_, name_.substr(at_, length));
    at_ += length;
    return true;
  }

  bool Arguments(size_t open) {
    const size_t after = SkipBrackets(name_, open);
    if (after == absl::string_view::npos) return false;
    if (templates_ == Templates::kKeep) {
      absl::StrAppend(&bare_, name_.substr(open, after - open));
    } else {
      // Rust's "fill::<u8>".
      if (absl::EndsWith(bare_, "::")) bare_.resize(bare_.size() - 2);
      if (templates_ == Templates::kDots) absl::StrAppend(&bare_, "<>");
    }
    at_ = after;
    return true;
  }

  // "<depot::Crate<u32> as depot::Box2>::pack": the method of the type.
  bool RustType() {
    const size_t after = SkipBrackets(name_, at_);
    if (after == absl::string_view::npos) return false;
    absl::string_view type = name_.substr(at_ + 1, after - at_ - 2);
    type = type.substr(0, type.find(" as "));
    while (absl::ConsumePrefix(&type, "&") || absl::ConsumePrefix(&type, "mut ") ||
           absl::ConsumePrefix(&type, "dyn ")) {
    }
    bare_ = Stripper(type, templates_).Run();
    at_ = after;
    return true;
  }

  bool Parameters() {
    const absl::string_view rest = name_.substr(at_);
    // "void (*picker(int))(int)": a function that returns a pointer to one.
    if (bare_.empty() &&
        (absl::StartsWith(rest, "(*") || absl::StartsWith(rest, "(&"))) {
      at_ += 2;
      return true;
    }
    const size_t after = SkipBrackets(name_, at_);
    if (after == absl::string_view::npos) return false;
    // A return type: "decltype(…) f", "decltype (…) f".
    if (bare_.empty() || bare_ == "decltype") {
      bare_.clear();
      at_ = after;
      return true;
    }
    // Parameters end the name, unless they are an outer function's.
    absl::string_view tail = name_.substr(after);
    while (absl::ConsumePrefix(&tail, " const") ||
           absl::ConsumePrefix(&tail, "&")) {
    }
    if (!absl::StartsWith(tail, "::")) return false;
    at_ = name_.size() - tail.size();
    return true;
  }

  const absl::string_view name_;
  const Templates templates_;
  size_t at_ = 0;
  std::string bare_;
};

std::string Strip(absl::string_view name, Templates templates) {
  return Stripper(name, templates).Run();
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

bool IsPlumbing(absl::string_view function, absl::string_view symbol) {
  if (function.empty()) return false;
  const std::string bare = BareName(function);
  for (const absl::string_view allocator : kAllocators) {
    if (bare == allocator) return true;
  }
  // An allocator for containers, by the name that the standard gives its function.
  if (absl::EndsWith(bare, "llocator::allocate")) return true;
  const size_t scope = bare.rfind("::");
  const absl::string_view last =
      absl::string_view(bare).substr(scope == std::string::npos ? 0 : scope + 2);
  for (const absl::string_view shim : {"__rust_", "__rdl_", "__rg_"}) {
    if (absl::StartsWith(last, shim)) return true;
  }
  for (const absl::string_view library : {"std::", "__gnu_cxx::", "__cxxabiv1::"}) {
    if (absl::StartsWith(bare, library)) return true;
  }
  // What a C++ program may call its own.
  if (!IsRust(std::string(symbol).c_str())) return false;
  for (const absl::string_view library : {"core::", "alloc::", "hashbrown::"}) {
    if (absl::StartsWith(bare, library)) return true;
  }
  // "<[T]>::to_vec", "<u8 as …>::from_elem": methods of the language's own types.
  return absl::StartsWith(bare, "::") ||
         (absl::StartsWith(function, "<") && bare.find("::") == bare.rfind("::"));
}

absl::string_view Basename(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace mallogram
