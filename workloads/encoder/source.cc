#include "workloads/encoder/source.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace workloads::encoder {
namespace {

// Texts repeat themselves: half of the pieces come from a stock of this many.
constexpr uint64_t kStock = 96;

}  // namespace

void Source::Sentence(Random random) {
  const uint64_t words = 5 + random.Below(14);
  for (uint64_t i = 0; i < words; ++i) {
    if (i > 0) piece_ += ' ';
    piece_ += AnyWord(random);
    if (random.Chance(0.06)) piece_ += ',';
  }
  piece_[0] = static_cast<char>(piece_[0] - 'a' + 'A');
  piece_ += pieces_ % 6 == 5 ? ".\n" : ". ";
  if (pieces_ % 30 == 29) piece_ += '\n';
}

void Source::Statement(Random random) {
  const auto name = [&] {
    piece_ += Word(random.Below(40));
    piece_ += '_';
    piece_ += Word(random.Below(40));
  };
  piece_.append(indent_ * 2, ' ');
  switch (random.Below(5)) {
    case 0:
      piece_ += "if (";
      name();
      piece_ += " > " + Text<SourceText>(std::to_string(random.Below(100))) + ") {";
      indent_ = std::min<size_t>(indent_ + 1, 6);
      break;
    case 1:
      if (indent_ > 0) {
        piece_.erase(piece_.size() - 2);
        --indent_;
        piece_ += '}';
        break;
      }
      [[fallthrough]];
    case 2:
      piece_ += "const int ";
      name();
      piece_ += " = ";
      name();
      piece_ += "[" + Text<SourceText>(std::to_string(random.Below(16))) + "];";
      break;
    default:
      name();
      piece_ += "(context, ";
      name();
      piece_ += "(), \"";
      piece_ += AnyWord(random);
      piece_ += "\");";
  }
  piece_ += '\n';
}

void Source::Refill() {
  piece_.clear();
  used_ = 0;
  if (kind_ == Kind::kRandom) {
    const uint64_t bits = random_.Next();
    piece_.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    return;
  }
  const bool stock = random_.Chance(0.5);
  const Random piece(stock ? random_.Below(kStock) : random_.Next());
  if (kind_ == Kind::kText) {
    Sentence(piece);
  } else {
    Statement(piece);
  }
  ++pieces_;
}

size_t Source::Read(char* to, size_t size) {
  size_t done = 0;
  while (done < size && left_ > 0) {
    if (used_ == piece_.size()) Refill();
    const size_t part =
        std::min({size - done, piece_.size() - used_, static_cast<size_t>(left_)});
    std::memcpy(to + done, piece_.data() + used_, part);
    done += part;
    used_ += part;
    left_ -= part;
  }
  return done;
}

}  // namespace workloads::encoder
