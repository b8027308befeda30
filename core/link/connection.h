// A TLS connection of the client side: dialling with its time limits. Used by Client and call().
#pragma once

#include <memory>

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

}  // namespace amoskys::link
