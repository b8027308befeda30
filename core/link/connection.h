// A TLS connection of the client side: dialling, reading and writing frames with their time limits.
// Used by Client, Subscriber and call().
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/io/tls_stream.h"
#include "core/link/client.h"

namespace amoskys::link {

using io::TlsContext;
using io::TlsStream;

// Resolves, connects to the first address that answers, and shakes hands. unavailable:
// bus_unreachable, bus_handshake (the message has the reason), bus_name_mismatch...
io::Task<Result<std::unique_ptr<TlsStream>>> dial(io::asio::io_context& io, io::Endpoint bus,
                                                  TlsContext context, ClientOptions options);
// What a failed read means: with TLS 1.3 a refused certificate shows only there.
Error read_error(const boost::system::error_code& ec, TlsStream& stream);

// Until the connection or `on_frame` fails; `after_read` follows the frames of one read. What the
// functions capture keeps the stream.
io::Task<Result<>> read_frames(TlsStream* stream, std::function<Result<>(ByteView body)> on_frame,
                               std::function<void()> after_read);
// All of `out`, and clears it. unavailable "bus_stalled" where that takes longer than `stall`.
io::Task<Result<>> write_out(io::asio::io_context& io, TlsStream* stream, std::string* out,
                             std::chrono::nanoseconds stall);

}  // namespace amoskys::link
