// What a function that can fail returns: a value or an Error. Used by every folder.
// An Error carries its kind (which decides the exit code), a stable machine code, a message that
// says what, where, which value and what is allowed, and optionally a hint.
#pragma once

#include <boost/system/result.hpp>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

namespace amoskys {

// The kinds follow sysexits.h; the numbers are the exit codes of the command line.
enum class ErrorKind : int {
    failed = 1,
    partial = 3,
    finding = 10,
    usage = 64,
    bad_data = 65,
    no_input = 66,
    unavailable = 69,
    internal = 70,
    cannot_create = 73,
    io = 74,
    permission = 77,
    config = 78,
    interrupted = 130,
    terminated = 143,
};

struct Error {
    ErrorKind kind = ErrorKind::failed;
    std::string code;       // stable, snake_case: "config_unknown_key"
    std::string message;    // one sentence for a person
    std::string hint = {};  // what to do next; may be empty
};

template <class T = void>
using Result = boost::system::result<T, Error>;

// "code: message"; Boost's printing of a Result needs it (failed checks of tests show it).
std::ostream& operator<<(std::ostream& out, const Error& error);

inline int exit_code(const Error& error) {
    return static_cast<int>(error.kind);
}

inline Error make_error(ErrorKind kind, std::string_view code, std::string message,
                        std::string hint = {}) {
    return Error{kind, std::string(code), std::move(message), std::move(hint)};
}

// An Error of kind io (or permission, no_input, cannot_create where errno says so) for a failed
// system call: "WHAT PATH: strerror".
Error errno_error(std::string_view code, std::string_view what, int errno_value);

// boost::system::result calls this when value() is called without has_value(); that is our bug, so
// it ends the process through check().
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& location);

}  // namespace amoskys

// Early return of the error of EXPR; otherwise NAME is the value. _VOID for Result<void>; CO_ for
// coroutines.
#define AMOSKYS_CONCAT_INNER(a, b) a##b
#define AMOSKYS_CONCAT(a, b) AMOSKYS_CONCAT_INNER(a, b)
#define AMOSKYS_TRY_IMPL(ret, tmp, name, expr) \
    auto tmp = (expr);                         \
    if (!tmp)                                  \
        ret std::move(tmp).error();            \
    auto name = std::move(*tmp)
#define AMOSKYS_TRY(name, expr) \
    AMOSKYS_TRY_IMPL(return, AMOSKYS_CONCAT(try_result_, __LINE__), name, expr)
#define AMOSKYS_CO_TRY(name, expr) \
    AMOSKYS_TRY_IMPL(co_return, AMOSKYS_CONCAT(try_result_, __LINE__), name, expr)
#define AMOSKYS_TRY_VOID(expr)                               \
    do {                                                     \
        if (auto try_result_void = (expr); !try_result_void) \
            return try_result_void.error();                  \
    } while (false)
#define AMOSKYS_CO_TRY_VOID(expr)                            \
    do {                                                     \
        if (auto try_result_void = (expr); !try_result_void) \
            co_return try_result_void.error();               \
    } while (false)
