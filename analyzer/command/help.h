// The texts of --help (that of record is beside its options).
#pragma once

namespace mallogram {

extern const char kHelpMain[];
extern const char kHelpReport[];
extern const char kHelpInfo[];

}  // namespace mallogram
