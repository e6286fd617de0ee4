// Texts that end with a NUL, and pieces of lists that don't. The library compares
// names inside of malloc, in vfork children and before its own start-up, where
// neither std::string nor the program's own strlen is to be had.
#pragma once

#include <cstddef>

namespace mallogram {

inline size_t Length(const char* text) {
  size_t n = 0;
  while (text[n] != 0) ++n;
  return n;
}

inline bool SameText(const char* a, const char* b) {
  while (*a != 0 && *a == *b) ++a, ++b;
  return *a == *b;
}

inline bool StartsWith(const char* text, const char* head) {
  while (*head != 0 && *text == *head) ++text, ++head;
  return *head == 0;
}

inline bool EndsWith(const char* text, const char* tail) {
  const size_t n = Length(text), m = Length(tail);
  return n >= m && SameText(text + (n - m), tail);
}

// What follows the last slash.
inline const char* BaseName(const char* path) {
  const char* name = path;
  for (; *path != 0; ++path) {
    if (*path == '/') name = path + 1;
  }
  return name;
}

// `text`, cut to the room.
template <size_t kRoom>
void CopyText(const char* text, char (&out)[kRoom]) {
  size_t i = 0;
  for (; text[i] != 0 && i + 1 < kRoom; ++i) out[i] = text[i];
  out[i] = 0;
}

// `bytes` of a longer text.
struct TextPiece {
  const char* text;
  size_t bytes;

  bool Is(const char* whole) const {
    return Length(whole) == bytes && StartsWith(whole);
  }
  bool StartsWith(const char* head) const {
    size_t i = 0;
    while (i < bytes && head[i] != 0 && text[i] == head[i]) ++i;
    return head[i] == 0;
  }
  TextPiece BaseName() const {
    for (size_t i = bytes; i > 0; --i) {
      if (text[i - 1] == '/') return {text + i, bytes - i};
    }
    return *this;
  }
};

}  // namespace mallogram
