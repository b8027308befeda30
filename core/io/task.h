// Coroutine vocabulary. g++ 12 hazard: never build a temporary with a destructor inside a co_await
// expression and never use a capturing lambda coroutine: name the coroutine, pass by value, bind to
// a local first.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "core/base/result.h"

namespace amoskys::io {

namespace asio = boost::asio;

template <class T = void>
using Task = asio::awaitable<T>;

}  // namespace amoskys::io
