#include "core/base/result.h"

#include <cerrno>
#include <cstring>
#include <ostream>

#include "core/base/check.h"

namespace amoskys {

namespace {

ErrorKind kind_of(int errno_value) {
    switch (errno_value) {
        case EACCES:
        case EPERM:
            return ErrorKind::permission;
        case ENOENT:
        case ENOTDIR:
            return ErrorKind::no_input;
        case EEXIST:
        case EROFS:
        case EISDIR:
            return ErrorKind::cannot_create;
        default:
            return ErrorKind::io;
    }
}

}  // namespace

Error errno_error(std::string_view code, std::string_view what, int errno_value) {
    return make_error(kind_of(errno_value), code,
                      std::string(what) + ": " + std::strerror(errno_value));
}

std::ostream& operator<<(std::ostream& out, const Error& error) {
    return out << error.code << ": " << error.message;
}

void throw_exception_from_error(const Error& error, const boost::source_location& location) {
    check_failed("value() of a failed Result: " + error.message + " (asked for in " +
                 location.file_name() + ")");
}

}  // namespace amoskys
