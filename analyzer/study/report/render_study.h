// Study results as text, Markdown and JSON. No computing of measurements.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "analyzer/study/judge/study_result.h"
#include "analyzer/study/report/document.h"
#include "analyzer/study/spec/study_spec.h"

namespace mallogram::study {

// A plot that was drawn, to be shown with its table.
struct PlotFile {
  std::string table;  // TableSpec::id
  std::string title;  // "Memory by size"
  std::string file;   // as the report names it: relative to the report
};

struct StudyTextStyle {
  bool color = false;
  bool utf8 = true;
  size_t width = 100;  // columns, as Style has it
};

std::string RenderStudyText(const StudyResult& result, const StudyTextStyle& style);
std::string RenderStudyMarkdown(const StudyResult& result,
                                const std::vector<PlotFile>& plots);
// One object with "schema_version"; everything that the texts say, and more.
std::string RenderStudyJson(const StudyResult& result);

// Any document.
std::string RenderDocumentText(const Document& document,
                               const StudyTextStyle& style);
std::string RenderDocumentMarkdown(const Document& document);

}  // namespace mallogram::study
