#include "analyzer/stacks/dwarf_names.h"

#include <dwarf.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "analyzer/stacks/demangle.h"

namespace mallogram {
namespace {

// Types and scopes of a damaged file may lead round in a circle.
constexpr int kMaxHops = 16;
constexpr int kMaxNesting = 50;

const char* LinkageName(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (dwarf_attr_integrate(die, name, &attribute) != nullptr) {
      const char* value = dwarf_formstring(&attribute);
      if (value != nullptr) return value;
    }
  }
  return nullptr;
}

bool Follow(Dwarf_Die* die, unsigned name, Dwarf_Die* to) {
  Dwarf_Attribute attribute;
  return dwarf_attr(die, name, &attribute) != nullptr &&
         dwarf_formref_die(&attribute, to) != nullptr;
}

// The entry that says in which namespace or class a function is.
Dwarf_Die Declaration(Dwarf_Die die) {
  for (int hop = 0; hop < kMaxHops; ++hop) {
    Dwarf_Die next;
    if (!Follow(&die, DW_AT_abstract_origin, &next) &&
        !Follow(&die, DW_AT_specification, &next)) {
      break;
    }
    die = next;
  }
  return die;
}

std::vector<Dwarf_Die> Children(Dwarf_Die* die) {
  std::vector<Dwarf_Die> children;
  Dwarf_Die child;
  if (dwarf_child(die, &child) != 0) return children;
  do {
    children.push_back(child);
  } while (dwarf_siblingof(&child, &child) == 0);
  return children;
}

// The ABI's spelling of what compilers call "long unsigned int".
std::string BaseTypeText(absl::string_view name) {
  constexpr std::pair<absl::string_view, absl::string_view> kSpellings[] = {
      {"long int", "long"},
      {"long unsigned int", "unsigned long"},
      {"long long int", "long long"},
      {"long long unsigned int", "unsigned long long"},
      {"short int", "short"},
      {"short unsigned int", "unsigned short"},
  };
  for (const auto& [dwarf, abi] : kSpellings) {
    if (name == dwarf) return std::string(abi);
  }
  return std::string(name);
}

// As demanglers write types. "?" for those that have no name.
std::string TypeText(Dwarf_Die* holder, int hops = 0) {
  Dwarf_Die type;
  if (!Follow(holder, DW_AT_type, &type)) return "void";
  if (hops == kMaxHops) return "?";
  switch (dwarf_tag(&type)) {
    case DW_TAG_pointer_type:
      return absl::StrCat(TypeText(&type, hops + 1), "*");
    case DW_TAG_reference_type:
      return absl::StrCat(TypeText(&type, hops + 1), "&");
    case DW_TAG_rvalue_reference_type:
      return absl::StrCat(TypeText(&type, hops + 1), "&&");
    case DW_TAG_const_type:
      return absl::StrCat(TypeText(&type, hops + 1), " const");
    case DW_TAG_volatile_type:
      return absl::StrCat(TypeText(&type, hops + 1), " volatile");
    case DW_TAG_typedef:
      return TypeText(&type, hops + 1);
    default:
      break;
  }
  const char* name = dwarf_diename(&type);
  return name == nullptr ? "?" : BaseTypeText(name);
}

// "(int, char*)" of a function, without what the compiler adds. A parameter's own
// const is no part of a signature.
std::string ParametersText(Dwarf_Die* function) {
  std::vector<std::string> types;
  for (Dwarf_Die& child : Children(function)) {
    if (dwarf_tag(&child) != DW_TAG_formal_parameter ||
        dwarf_hasattr(&child, DW_AT_artificial)) {
      continue;
    }
    Dwarf_Die type;
    const bool is_const =
        Follow(&child, DW_AT_type, &type) && dwarf_tag(&type) == DW_TAG_const_type;
    types.push_back(is_const ? TypeText(&type) : TypeText(&child));
  }
  return absl::StrCat("(", absl::StrJoin(types, ", "), ")");
}

bool IsClass(int tag) {
  return tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
         tag == DW_TAG_union_type;
}

// The function of a lambda, as g++ writes it: nobody else's call operator is
// artificial.
bool IsCallOfLambda(Dwarf_Die* function) {
  const char* name = dwarf_diename(function);
  return name != nullptr && absl::StartsWith(name, "operator()") &&
         dwarf_hasattr(function, DW_AT_artificial);
}

// The function of a lambda whose type is `type`; false: no lambda's.
bool CallOperator(Dwarf_Die* type, Dwarf_Die* function) {
  if (!IsClass(dwarf_tag(type)) || dwarf_diename(type) != nullptr) return false;
  for (Dwarf_Die& child : Children(type)) {
    if (dwarf_tag(&child) == DW_TAG_subprogram && IsCallOfLambda(&child)) {
      *function = child;
      return true;
    }
  }
  return false;
}

std::pair<int, int> PositionOf(Dwarf_Die* die) {
  int line = 0, column = 0;
  dwarf_decl_line(die, &line);
  dwarf_decl_column(die, &column);
  return {line, column};
}

// How many lambdas of these parameters come before `position` in the same scope:
// the ABI numbers them so.
int CountEarlier(Dwarf_Die* scope, absl::string_view parameters,
                 std::pair<int, int> position, int depth) {
  int count = 0;
  if (depth == kMaxNesting) return count;
  for (Dwarf_Die& child : Children(scope)) {
    Dwarf_Die function;
    if (dwarf_tag(&child) == DW_TAG_lexical_block) {
      count += CountEarlier(&child, parameters, position, depth + 1);
    } else if (CallOperator(&child, &function) && PositionOf(&child) < position &&
               ParametersText(&function) == parameters) {
      ++count;
    }
  }
  return count;
}

std::vector<Dwarf_Die> ScopesOf(Dwarf_Die* die) {
  Dwarf_Die* found = nullptr;
  const int count = dwarf_getscopes_die(die, &found);
  std::vector<Dwarf_Die> scopes;
  for (int i = 1; i < count; ++i) scopes.push_back(found[i]);
  std::free(found);
  return scopes;
}

std::string NameInScope(Dwarf_Die* die, int depth);

// The variable of a namespace that a lambda is the value of, with its "::"; "":
// none.
std::string VariableOf(Dwarf_Die* scope, Dwarf_Die* type) {
  for (Dwarf_Die& child : Children(scope)) {
    if (dwarf_tag(&child) != DW_TAG_variable) continue;
    Dwarf_Die its_type;
    bool known = Follow(&child, DW_AT_type, &its_type);
    for (int hop = 0;
         known && dwarf_tag(&its_type) == DW_TAG_const_type && hop < kMaxHops;
         ++hop)
      known = Follow(&its_type, DW_AT_type, &its_type);
    if (!known || dwarf_dieoffset(&its_type) != dwarf_dieoffset(type)) continue;
    const char* name = dwarf_diename(&child);
    return name == nullptr ? "" : absl::StrCat(name, "::");
  }
  return "";
}

// The number is counted in the function, or in the variable, around the closure.
std::string LambdaText(Dwarf_Die* function, Dwarf_Die* type,
                       const std::vector<Dwarf_Die>& outer) {
  const std::string parameters = ParametersText(function);
  int number = 1;
  std::string variable;
  for (Dwarf_Die scope : outer) {
    const int tag = dwarf_tag(&scope);
    if (tag == DW_TAG_lexical_block) continue;
    if (tag == DW_TAG_namespace || tag == DW_TAG_compile_unit)
      variable = VariableOf(&scope, type);
    if (variable.empty())
      number += CountEarlier(&scope, parameters, PositionOf(type), 0);
    break;
  }
  return absl::StrCat(variable, "{lambda", parameters, "#", number, "}");
}

// Of the scopes around a function, innermost first, as a prefix with its "::".
std::string Prefix(const std::vector<Dwarf_Die>& scopes, int depth) {
  std::string prefix;
  for (size_t i = 0; i < scopes.size(); ++i) {
    Dwarf_Die scope = scopes[i], function;
    const int tag = dwarf_tag(&scope);
    const char* name = dwarf_diename(&scope);
    if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) {
      // That knows its own scopes.
      return absl::StrCat(NameInScope(&scope, depth + 1), "::", prefix);
    }
    if (CallOperator(&scope, &function)) {
      const std::vector<Dwarf_Die> outer(scopes.begin() + static_cast<long>(i) + 1,
                                         scopes.end());
      prefix = absl::StrCat(LambdaText(&function, &scope, outer), "::", prefix);
    } else if (IsClass(tag) && name == nullptr) {
      prefix = absl::StrCat("{unnamed}::", prefix);
    } else if (tag == DW_TAG_namespace && name == nullptr) {
      prefix = absl::StrCat("(anonymous namespace)::", prefix);
    } else if (name != nullptr &&
               (tag == DW_TAG_namespace || tag == DW_TAG_module || IsClass(tag))) {
      prefix = absl::StrCat(name, "::", prefix);
    }
  }
  return prefix;
}

// For functions without linkage name: C's, and C++'s of internal linkage.
std::string NameInScope(Dwarf_Die* die, int depth) {
  const char* linkage = LinkageName(die);
  if (linkage != nullptr) return Demangle(linkage);
  const char* own = dwarf_diename(die);
  if (own == nullptr || depth == kMaxNesting) return own == nullptr ? "" : own;
  Dwarf_Die declaration = Declaration(*die);
  std::string name = absl::StrCat(Prefix(ScopesOf(&declaration), depth), own);
  if (!IsCallOfLambda(&declaration)) return name;
  // const, but for a mutable one's.
  Dwarf_Die closure, pointer, object;
  const bool is_const = Follow(&declaration, DW_AT_object_pointer, &closure) &&
                        Follow(&closure, DW_AT_type, &pointer) &&
                        (dwarf_tag(&pointer) != DW_TAG_const_type ||
                         Follow(&pointer, DW_AT_type, &pointer)) &&
                        Follow(&pointer, DW_AT_type, &object) &&
                        dwarf_tag(&object) == DW_TAG_const_type;
  return absl::StrCat(name, ParametersText(&declaration), is_const ? " const" : "");
}

// Where it is declared: "FILE:LINE". Not by dwarf_decl_file, which asserts that the
// unit has a table of files.
std::string OriginOf(Dwarf_Die* die) {
  Dwarf_Die declaration = Declaration(*die), unit;
  Dwarf_Attribute attribute;
  Dwarf_Word index = 0;
  Dwarf_Files* files = nullptr;
  size_t count = 0;
  int line = 0;
  if (dwarf_formudata(dwarf_attr(&declaration, DW_AT_decl_file, &attribute),
                      &index) != 0 ||
      dwarf_decl_line(&declaration, &line) != 0 ||
      dwarf_diecu(&declaration, &unit, nullptr, nullptr) == nullptr ||
      dwarf_getsrcfiles(&unit, &files, &count) != 0 || index >= count) {
    return "";
  }
  const char* file = dwarf_filesrc(files, index, nullptr, nullptr);
  return file == nullptr ? "" : absl::StrCat(file, ":", line);
}

}  // namespace

FunctionName NameOfFunction(Dwarf_Die* die) {
  FunctionName name;
  const char* linkage = LinkageName(die);
  name.function = NameInScope(die, 0);
  if (linkage != nullptr && IsMangled(linkage)) {
    name.symbol = linkage;
  } else {
    name.origin = OriginOf(die);
  }
  return name;
}

}  // namespace mallogram
