/* Built twice under two names: two libraries of exactly the same shape, so that
   the second, loaded after the first went away, lands at the same address. */
int PluginFunction(void);
int PluginFunction(void) { return 42; }
