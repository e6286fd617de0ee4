// A report as a list of blocks, between what is said of a study (describe_*.cc) and
// how it is written (render_study_text.cc, render_study_markdown.cc). Plain data.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mallogram::study {

struct Cell {
  std::string text;
  enum class Mood { kPlain, kGood, kBad, kDoubtful } mood = Mood::kPlain;

  Cell() = default;
  Cell(std::string plain) : text(std::move(plain)) {}  // NOLINT: cells are texts
  Cell(const char* plain) : text(plain) {}             // NOLINT: cells are texts
  Cell(std::string content, Mood its_mood)
      : text(std::move(content)), mood(its_mood) {}
};

// Columns of numbers are aligned to the right.
struct Grid {
  struct Heading {
    std::string title;
    bool number = true;
  };
  std::vector<Heading> headings;
  std::vector<std::vector<Cell>> rows;  // each as wide as `headings`
};

struct Block {
  enum class What {
    kTitle,      // text
    kSection,    // text: a table of the study
    kHeading,    // text: a part of it
    kParagraph,  // text
    kItem,       // text: of a list
    kCommand,    // text: to be typed
    kGrid,       // grid
    kPicture,    // text is the title, link the file
  } what = What::kParagraph;
  std::string text;
  std::string link;
  Grid grid;
};

struct Document {
  std::vector<Block> blocks;

  void Add(Block::What what, std::string text) {
    blocks.push_back({what, std::move(text), "", {}});
  }
  void Section(std::string text) { Add(Block::What::kSection, std::move(text)); }
  void Heading(std::string text) { Add(Block::What::kHeading, std::move(text)); }
  void Paragraph(std::string text) {
    if (!text.empty()) Add(Block::What::kParagraph, std::move(text));
  }
  void Item(std::string text) { Add(Block::What::kItem, std::move(text)); }
  // Nothing for a grid without rows.
  void AddGrid(Grid grid) {
    if (grid.rows.empty()) return;
    blocks.push_back({Block::What::kGrid, "", "", std::move(grid)});
  }
};

}  // namespace mallogram::study
