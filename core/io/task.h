// Coroutine vocabulary of the product. Every coroutine runs below a TaskGroup (runtime.h).
//
// Cancellation never throws: a TaskGroup turns asio's throw_if_cancelled off, so an operation that
// is cancelled completes with operation_aborted, and sleep_for()/Event::wait() return false at once
// from then on. A loop ends when one of them says so.
//
// g++ 12 hazard: never build a temporary with a destructor inside a co_await expression and never
// use a capturing lambda coroutine: name the coroutine, pass by value, bind to a local first.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/base/result.h"

namespace amoskys::io {

namespace asio = boost::asio;

template <class T = void>
using Task = asio::awaitable<T>;

// Completion token: co_await gives a tuple (error_code, ...) and throws nothing.
inline constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

}  // namespace amoskys::io
