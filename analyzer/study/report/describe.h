// What a report says of a study, as a document: the sections, one function each.
// Sentences are honest or missing: no figure without what it rests on.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analyzer/study/judge/study_result.h"
#include "analyzer/study/report/document.h"
#include "analyzer/study/report/render_study.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

Document DescribeStudy(const StudyResult& result,
                       const std::vector<PlotFile>& plots);

// ---- its parts ------------------------------------------------------------

// Sizes and what was measured; growth from row to row. (describe_rows.cc)
void DescribeRows(const TableSpec& spec, const VariantResult& variant,
                  Document* document);
// Phases, and what is left after close. (describe_phases.cc)
void DescribePhases(const TableSpec& spec, const VariantResult& variant,
                    Document* document);
// Law, predictions, budget, capacity, estimate. (describe_law.cc)
void DescribeLaw(const TableSpec& spec, const VariantResult& variant,
                 Document* document);
// Components and call sites. (describe_sites.cc)
void DescribeSites(const StudySpec& study, const TableSpec& spec,
                   const VariantResult& variant, Document* document);
// Every variant against the baseline. (describe_variants.cc)
void DescribeVariants(const StudySpec& study, const TableResult& table,
                      Document* document);
// What the measurements suggest to look at. (describe_hints.cc)
std::vector<std::string> Hints(const TableSpec& spec, const VariantResult& variant);

// One sentence: class, how sure, law, range. `unit`: what one more of n is.
std::string LawSentence(const fit::SeriesFit& fit, absl::string_view parameter,
                        absl::string_view unit);

// The heading of a part, with the variant's name if the table has several.
std::string PartTitle(absl::string_view title, const VariantResult& variant);

// "sessions" as the heading of a column; a unit in the plural.
std::string UnitPlural(absl::string_view unit);

}  // namespace mallogram::study
