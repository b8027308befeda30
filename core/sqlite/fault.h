// The errors of this folder, all of kind bad_data; the messages do not name the file.
#pragma once

#include "core/base/result.h"

namespace amoskys::sqlite {

// The file is none of SQLite's.
inline Error not_sqlite(std::string what) {
    return make_error(ErrorKind::bad_data, "not_sqlite", std::move(what));
}
// One of SQLite's, which says what it must not.
inline Error damaged(std::string what) {
    return make_error(ErrorKind::bad_data, "sqlite_damaged", std::move(what));
}
// Sound, and of a form that is not read here.
inline Error unsupported(std::string what, std::string hint = {}) {
    return make_error(ErrorKind::bad_data, "sqlite_unsupported", std::move(what), std::move(hint));
}

}  // namespace amoskys::sqlite
