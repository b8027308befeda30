#include "core/base/check.h"

#include <unistd.h>

#include <cstdio>

namespace amoskys {

void check_failed(std::string_view what, const std::source_location& where) {
    std::fprintf(stderr, "amoskys: internal error at %s:%u: %.*s\n", where.file_name(),
                 static_cast<unsigned>(where.line()), static_cast<int>(what.size()), what.data());
    ::_exit(70);
}

}  // namespace amoskys
