// Suppressions that a program brings along, in the ways that people write them.
extern "C" const char* __lsan_default_suppressions() {
#if defined(FROM_VARIABLE)
  static const char* text = "leak:cache::Keep\n";
  text = text[0] == '\0' ? "" : text;
  return text;
#elif defined(COMPUTED)
  static char text[20];
  for (int i = 0; i < 4; ++i) text[i] = static_cast<char>('a' + i);
  return text[2] == 'c' ? text : "";
#else
  return "# brought along\nleak:cache::Keep\n";
#endif
}
