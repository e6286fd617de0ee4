// Suppressions that a program brings along, in the ways that people write them.
#if defined(FROM_VARIABLE)
static const char* text = "leak:cache::Keep\n";
extern "C" void SetDefaults(const char* other) { text = other; }
#endif

extern "C" const char* __lsan_default_suppressions() {
#if defined(FROM_VARIABLE)
  return text;
#elif defined(COMPUTED)
  static volatile char computed[4];
  for (int i = 0; i < 3; ++i) computed[i] = static_cast<char>('a' + i);
  return const_cast<const char*>(computed);
#else
  return "# brought along\nleak:cache::Keep\n";
#endif
}
