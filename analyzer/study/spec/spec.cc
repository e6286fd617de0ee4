#include "analyzer/study/spec/spec.h"

#include <re2/re2.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "analyzer/command/cli.h"
#include "analyzer/study/spec/fields.h"
#include "analyzer/study/spec/quantity.h"
#include "analyzer/study/spec/quantity_field.h"
#include "analyzer/study/spec/target.h"

namespace mallogram::study {
namespace {

// Names of directories and in quantities.
bool IsName(absl::string_view text) {
  return !text.empty() && absl::ascii_isalpha(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_';
         });
}

class Reader {
 public:
  explicit Reader(StudyErrors* errors) : errors_(errors) {}

  void Read(const TomlNode& root, StudySpec* study) {
    study_ = study;
    Fields fields(root, "the study", errors_);
    study->title = fields.Text("title");
    if (study->title.empty()) study->title = study->name;
    study->source = fields.Text("source");
    study->description = fields.Text("description");
    study->program = fields.RequiredText("program");
    fields.ForEach("group", [this](Fields* f) { ReadGroup(f); });
    fields.ForEach("table", [this](Fields* f) { ReadTable(f); });
    if (study->tables.empty()) fields.Error("table", "a study needs a [[table]]");
    fields.ForEach("criterion", [this](Fields* f) { ReadCriterion(f); });
    fields.Finish();
  }

 private:
  std::string ReadName(Fields* fields, absl::string_view key) {
    std::string name = fields->RequiredText(key);
    if (!IsName(name)) {
      fields->Error(key,
                    absl::StrCat(key, " \"", name, "\" must be a letter, then ",
                                 "letters, digits, - and _"));
    }
    return name;
  }

  void ReadGroup(Fields* fields) {
    Group group;
    group.name = ReadName(fields, "name");
    group.title = fields->Text("title");
    if (group.title.empty()) group.title = group.name;
    group.match = fields->RequiredText("match");
    const RE2 compiled(group.match, RE2::Quiet);
    if (!compiled.ok()) {
      fields->Error(
          "match", absl::StrCat("match = \"", group.match,
                                "\" is no regular expression: ", compiled.error()));
    }
    for (const Group& other : study_->groups) {
      if (QuantityName(other.name) == QuantityName(group.name)) {
        fields->Error("name", absl::StrCat("two groups are named ", group.name));
      }
    }
    study_->groups.push_back(group);
  }

  Quantity ReadQuantity(Fields* fields, absl::string_view key,
                        absl::string_view otherwise) {
    return study::ReadQuantity(fields, key, otherwise, study_->groups);
  }

  std::vector<Column> ReadColumns(Fields* fields, absl::string_view key,
                                  bool bytes_by_default) {
    std::vector<Column> columns;
    fields->ForEach(key, [&](Fields* f) {
      Column column;
      column.value = ReadQuantity(f, "value", "");
      column.title = f->Text("title");
      if (column.title.empty()) column.title = column.value;
      column.bytes = f->Flag("bytes", bytes_by_default);
      columns.push_back(column);
    });
    return columns;
  }

  void ReadTable(Fields* fields) {
    TableSpec table;
    table.id = ReadName(fields, "id");
    for (const TableSpec& other : study_->tables) {
      if (other.id == table.id) {
        fields->Error("id", absl::StrCat("two tables have the id ", table.id));
      }
    }
    table.words.title = fields->Text("title");
    if (table.words.title.empty()) table.words.title = table.id;
    table.words.note = fields->Text("note");
    table.runs.arguments = fields->Texts("arguments");
    table.runs.prepare = fields->Texts("prepare");
    const std::string parameter = fields->Text("parameter");
    if (!parameter.empty()) table.words.parameter = parameter;
    ReadSizes(fields, &table);
    table.runs.warm_up = fields->Flag("warm-up", false);
    table.unit = fields->Text("unit");
    if (fields->Has("units") && table.unit.empty()) {
      fields->Error("units", "units without unit = \"…\"");
    }
    table.units = ReadQuantity(fields, "units", "n");
    table.value = ReadQuantity(fields, "value", "peak");
    table.words.value_title = fields->Text("value-title");
    if (table.words.value_title.empty()) {
      table.words.value_title =
          table.value == "peak" ? "heap bytes at the peak" : table.value;
    }
    table.columns = ReadColumns(fields, "columns", true);
    table.ratios = ReadColumns(fields, "ratios", false);
    for (const std::string& n : fields->Sizes("predict")) {
      double value = 0;
      if (absl::SimpleAtod(n, &value)) table.predict.push_back(value);
    }
    std::sort(table.predict.begin(), table.predict.end());
    table.budget = fields->Bytes("budget");
    table.unit_budget = fields->Bytes("unit-budget");
    table.estimate = fields->Bytes("estimate");
    for (const char* key : {"unit-budget", "estimate"}) {
      if (fields->Has(key) && table.unit.empty()) {
        fields->Error(key, absl::StrCat(key, " without unit = \"…\""));
      }
    }
    fields->ForEach("residual", [&](Fields* f) {
      table.residual = TableSpec::Residual{ReadQuantity(f, "before", ""),
                                           ReadQuantity(f, "high", "peak"),
                                           ReadQuantity(f, "after", "")};
    });
    ReadVariants(fields, &table);
    fields->ForEach("published", [&](Fields* f) { ReadPublished(f, &table); });
    study_->tables.push_back(table);
  }

  void ReadSizes(Fields* fields, TableSpec* table) {
    table->runs.sizes = fields->Sizes("n");
    if (table->runs.sizes.empty()) {
      fields->Error("n",
                    absl::StrCat("[[table]] ", table->id, " needs n = [SIZE, …]"));
    }
    std::sort(table->runs.sizes.begin(), table->runs.sizes.end(),
              [](const std::string& a, const std::string& b) {
                double x = 0, y = 0;
                return absl::SimpleAtod(a, &x) && absl::SimpleAtod(b, &y) && x < y;
              });
    const std::optional<double> reps = fields->Number("reps");
    if (reps.has_value()) {
      if (*reps < 1 || *reps > 1000 || *reps != static_cast<uint32_t>(*reps)) {
        fields->Error("reps", "reps must be a whole number from 1 to 1000");
      } else {
        table->runs.reps = static_cast<uint32_t>(*reps);
      }
    }
  }

  void ReadVariants(Fields* fields, TableSpec* table) {
    fields->ForEach("variants", [&](Fields* f) {
      Variant variant{ReadName(f, "name"), f->Texts("arguments")};
      for (const Variant& other : table->runs.variants) {
        if (other.name == variant.name) {
          f->Error("name", absl::StrCat("two variants are named ", variant.name));
        }
      }
      table->runs.variants.push_back(variant);
    });
    if (table->runs.variants.empty()) table->runs.variants.push_back({});
    table->baseline = fields->Text("baseline");
    if (!table->baseline.empty()) {
      CheckVariant(fields, "baseline", *table, table->baseline);
    }
    const auto has = [](const std::vector<std::string>& arguments,
                        absl::string_view name) {
      return std::any_of(arguments.begin(), arguments.end(),
                         [name](const std::string& argument) {
                           return absl::StrContains(argument, name);
                         });
    };
    const auto names_size = [&has](const std::vector<std::string>& arguments) {
      return has(arguments, "{n}") || has(arguments, "{input}");
    };
    for (const Variant& variant : table->runs.variants) {
      if (table->runs.prepare.empty() && (has(table->runs.arguments, "{input}") ||
                                          has(variant.arguments, "{input}"))) {
        fields->Error("arguments", absl::StrCat("{input} in table ", table->id,
                                                " needs prepare = [COMMAND, …]"));
      }
      if (table->runs.sizes.size() > 1 && !names_size(table->runs.arguments) &&
          !names_size(variant.arguments)) {
        fields->Error(
            "arguments",
            absl::StrCat("no argument of table ", table->id,
                         variant.name.empty() ? "" : ", variant ", variant.name,
                         " has {n} or {input}: all sizes would be "
                         "one"));
      }
    }
  }

  void CheckVariant(Fields* fields, absl::string_view key, const TableSpec& table,
                    const std::string& name) {
    std::vector<absl::string_view> names;
    for (const Variant& variant : table.runs.variants)
      names.push_back(variant.name);
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    fields->Error(key, absl::StrCat(key, ": table ", table.id, " has no variant \"",
                                    name, "\"", DidYouMean(name, names)));
  }

  void ReadPublished(Fields* fields, TableSpec* table) {
    table->words.published_text = fields->Text("text");
    fields->ForEach("rows", [&](Fields* f) {
      const std::optional<double> n = f->Number("n");
      const std::optional<double> value = f->Bytes("value");
      if (!n.has_value()) f->Error("n", "a published row needs n = SIZE");
      if (!value.has_value()) f->Error("value", "a published row needs value = …");
      table->published.push_back({n.value_or(0), value.value_or(0)});
    });
  }

  void ReadCriterion(Fields* fields) {
    CriterionSpec criterion;
    criterion.name = fields->RequiredText("name");
    criterion.table = fields->RequiredText("table");
    criterion.variant = fields->Text("variant");
    criterion.target = fields->RequiredText("target");
    std::vector<absl::string_view> ids;
    const TableSpec* table = nullptr;
    for (const TableSpec& candidate : study_->tables) {
      ids.push_back(candidate.id);
      if (candidate.id == criterion.table) table = &candidate;
    }
    if (table == nullptr) {
      fields->Error("table",
                    absl::StrCat("criterion \"", criterion.name,
                                 "\": no [[table]] with id = \"", criterion.table,
                                 "\"", DidYouMean(criterion.table, ids)));
    } else if (!criterion.variant.empty()) {
      CheckVariant(fields, "variant", *table, criterion.variant);
    }
    ReadWhat(fields, table, &criterion);
    study_->criteria.push_back(criterion);
  }

  void ReadWhat(Fields* fields, const TableSpec* table, CriterionSpec* criterion) {
    using What = CriterionSpec::What;
    size_t given = fields->Has("value") ? 1 : 0;
    if (fields->Flag("law", false)) criterion->what = What::kLaw, ++given;
    if (fields->Flag("cv", false)) criterion->what = What::kCv, ++given;
    if (fields->Flag("residual", false)) criterion->what = What::kResidual, ++given;
    if (given != 1) {
      fields->Error("name",
                    absl::StrCat("criterion \"", criterion->name,
                                 "\" needs one of value = \"…\", law = true, ",
                                 "cv = true, residual = true"));
    }
    criterion->n = fields->Number("n");
    const bool of_value = criterion->what == What::kValue;
    criterion->value = ReadQuantity(fields, "value", of_value ? "peak" : " ");
    if (!of_value) criterion->value.clear();
    if (fields->Has("n") && !of_value && criterion->what != What::kResidual) {
      fields->Error("n",
                    "n goes with value or residual; laws and CVs are of all sizes");
    }
    if (criterion->what == What::kResidual && table != nullptr &&
        !table->residual.has_value()) {
      fields->Error("residual", absl::StrCat("table ", table->id,
                                             " has no residual = {before = …, "
                                             "high = …, after = …}"));
    }
    const absl::StatusOr<Target> target = criterion->what == What::kLaw
                                              ? ParseLawTarget(criterion->target)
                                              : ParseValueTarget(criterion->target);
    if (!target.ok() && !criterion->target.empty()) {
      fields->Error("target", absl::StrCat("target: ", target.status().message()));
    }
  }

  StudyErrors* const errors_;
  StudySpec* study_ = nullptr;
};

}  // namespace

std::string StudyName(absl::string_view file) {
  std::error_code error;
  const std::filesystem::path path =
      std::filesystem::absolute(std::string(file), error).lexically_normal();
  const std::string stem = path.stem().string();
  if (stem != "study") return stem;
  const std::string directory = path.parent_path().filename().string();
  const absl::string_view name = absl::StripSuffix(directory, "-study");
  return name.empty() ? stem : std::string(name);
}

absl::StatusOr<StudySpec> ParseStudy(absl::string_view text,
                                     absl::string_view file) {
  absl::StatusOr<TomlNode> root = ParseToml(text, file);
  if (!root.ok()) return root.status();
  StudySpec study;
  study.file = std::string(file);
  study.name = StudyName(file);
  StudyErrors errors(file);
  root->line = 1;
  Reader(&errors).Read(*root, &study);
  if (!errors.ok()) return errors.status();
  return study;
}

absl::StatusOr<StudySpec> ReadStudy(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat("cannot open ", file));
  std::stringstream text;
  text << stream.rdbuf();
  if (stream.bad()) return absl::UnknownError(absl::StrCat("cannot read ", file));
  return ParseStudy(text.str(), file);
}

}  // namespace mallogram::study
