// What connected sessions that do nothing cost a bus. Used by bus_bench.cc.
#pragma once

#include <cstddef>
#include <filesystem>

#include "core/crypto/pki.h"

namespace amoskys::bench {

inline constexpr std::size_t idle_sessions = 2'000;

// MB of anonymous memory by which a fresh bus has grown once so many have had their WELCOME.
double idle_memory_mb(const std::filesystem::path& scratch, const crypto::PkiPaths& pki);

}  // namespace amoskys::bench
