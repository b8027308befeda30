// How Catch shows a Result whose value has no text of its own: the error, or that there is a value.
#pragma once

#include <catch2/catch.hpp>

#include "core/base/result.h"

namespace Catch {

template <class Value>
struct StringMaker<boost::system::result<Value, amoskys::Error>> {
    static std::string convert(const boost::system::result<Value, amoskys::Error>& result) {
        return result.has_value() ? "a value" : "error: " + result.error().message;
    }
};

}  // namespace Catch
