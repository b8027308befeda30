// The settings of dash.*, and what of them may not stand together. Used by module.cc and the
// service.
#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys::modules::dash {

struct DashConfig {
    std::string listen = "127.0.0.1:8787";
    std::vector<std::string> hosts;  // names in the Host header besides localhost and the address
    bool tls = false;
    std::string tls_cert, tls_key;     // empty = those of the bus in <state_dir>/pki
    std::string client_ca;             // empty = no client certificates
    std::vector<std::string> clients;  // CN=ROLE
    std::string tokens;                // empty = <state_dir>/dash-tokens
    std::string open_role = "viewer";  // of everybody, where nothing is asked for
    Duration session = std::chrono::hours(12);
    double rate_limit = 100;
    std::uint64_t max_connections = 2048;
    Duration look_back = std::chrono::hours(24);
};

// CN=ROLE; config error otherwise.
Result<> check_client(std::string_view text);
Result<> check_open_role(std::string_view text);

// An address that others can reach wants TLS, and somebody who may come in: config errors
// "dash_needs_tls" and "dash_needs_authentication" name the settings that are missing.
Result<> check_exposure(const DashConfig& config, std::string_view host, bool has_tokens);
bool is_loopback(std::string_view host);

}  // namespace amoskys::modules::dash
