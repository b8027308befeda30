// check(): for our own bugs only, never for input from outside. Prints file:line and ends the
// process with exit code 70 (internal), so that a broken invariant is never written to disk.
#pragma once

#include <source_location>
#include <string_view>

namespace amoskys {

[[noreturn]] void check_failed(std::string_view what,
                               const std::source_location& where = std::source_location::current());

inline void check(bool ok, std::string_view what,
                  const std::source_location& where = std::source_location::current()) {
    if (!ok) [[unlikely]]
        check_failed(what, where);
}

}  // namespace amoskys
