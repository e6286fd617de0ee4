// Blocks that the C and C++ libraries keep on purpose, in Valgrind's syntax.
#include "analyzer/leaks/suppressions.h"

namespace mallogram {

// Each is of `reachable` (and of blocks that nobody could classify); the loader's
// own also of `possible`, since it aligns its tables of modules by hand. A variable
// (root:) says more than a stack where libraries are stripped, as Debian's are.
const char kBuiltInSuppressions[] =
    R"(# What Mallogram does not count as leaks, because the C and C++ libraries never
# free it: none of these hides a block that is lost.
# --no-builtin-suppressions switches them off.
{
   libstdc++: emergency pool for exceptions
   Memcheck:Leak
   match-leak-kinds: reachable
   fun:malloc
   obj:*/libstdc++.so*
   obj:*/ld-*.so*
}
{
   libstdc++, linked statically: emergency pool for exceptions
   Memcheck:Leak
   match-leak-kinds: reachable
   root:*emergency_pool*
}
{
   stdio: buffers of stdin, stdout and stderr
   Memcheck:Leak
   match-leak-kinds: reachable
   root:_IO_2_1_std*
   fun:*_IO_file_doallocate
}
{
   stdio: buffers of stdin, stdout and stderr for wide characters
   Memcheck:Leak
   match-leak-kinds: reachable
   root:_IO_wide_data_*
}
{
   ld.so: loaded libraries, their names and thread-local storage
   Memcheck:Leak
   match-leak-kinds: reachable,possible
   obj:*/ld-*.so*
}
{
   libc: time zone (tzset)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:tzset
}
{
   libc: time zone (localtime)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:localtime
}
{
   libc: time zone (localtime_r)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:localtime_r
}
{
   libc: time zone (mktime)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:mktime
}
{
   libc: time zone (strftime)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:strftime
}
{
   libc: locale (setlocale)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:setlocale
}
{
   libc: character sets (iconv_open)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:iconv_open
}
{
   libc: translations (bindtextdomain)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:bindtextdomain
}
{
   libc: translations (textdomain)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:textdomain
}
{
   libc: translations (gettext)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:gettext
}
{
   libc: translations (dcgettext)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:dcgettext
}
{
   libc: translations (dcngettext)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:dcngettext
}
{
   libc: name service (getpwnam_r)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:getpwnam_r
}
{
   libc: name service (getpwuid_r)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:getpwuid_r
}
{
   libc: name service (getgrnam_r)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:getgrnam_r
}
{
   libc: name service (getgrgid_r)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:getgrgid_r
}
{
   libc: functions to be called at exit (__cxa_atexit)
   Memcheck:Leak
   match-leak-kinds: reachable
   ...
   fun:__cxa_atexit
}
)";

}  // namespace mallogram
