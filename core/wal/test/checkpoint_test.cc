#include "core/wal/checkpoint.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace amoskys;
using namespace amoskys::wal;

namespace {

// Made by another implementation (Python's hashlib and cryptography) for the seed 00 01 .. 1f.
constexpr std::string_view vector =
    "amoskys/bus-1/0123abcd\n"
    "1403\n"
    "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=\n"
    "time 2025-12-01T00:00:05.000000007Z\n"
    "\n"
    "\xe2\x80\x94 amoskys/bus-1/0123abcd "
    "3oTj5ZYX3oCHMJ4RCho2XjVZ/JXJbU+9Qcd1Tz32IETlswVj6NqlcugWwNFJx3gccxw9mOa6J9nvpZgKQsSS3Qy8ygs="
    "\n";
constexpr std::string_view witness = "\xe2\x80\x94 witness.example/w 3oTj5QECAwQ=\n";

crypto::SigningKey key_of(std::uint8_t first) {
    Bytes seed(32);
    for (std::size_t i = 0; i < seed.size(); ++i)
        seed[i] = static_cast<std::uint8_t>(first + i);
    return crypto::SigningKey::from_seed(seed);
}

Checkpoint sample() {
    Checkpoint out{"amoskys/bus-1/0123abcd", 1403, {}, 1'764'547'205'000'000'007};
    for (std::size_t i = 0; i < out.root.size(); ++i)
        out.root[i] = static_cast<std::uint8_t>(100 + i);
    return out;
}

std::string code_of(std::string_view note) {
    const auto opened = open_checkpoint(note, key_of(0).public_key());
    return opened ? "" : opened.error().code;
}

std::string with(std::string_view old_text, std::string_view new_text) {
    std::string out(vector);
    out.replace(out.find(old_text), old_text.size(), new_text);
    return out;
}

}  // namespace

TEST_CASE("a checkpoint is the signed note that other tools make of it") {
    CHECK(sign_checkpoint(sample(), key_of(0)) == vector);
    const auto opened = open_checkpoint(vector, key_of(0).public_key());
    REQUIRE(opened.has_value());
    CHECK(*opened == sample());
}

TEST_CASE("a checkpoint without a time, of an empty log, and with witnesses' signatures opens") {
    Checkpoint empty = sample();
    empty.size = 0;
    empty.time_ns = 0;
    const auto opened = open_checkpoint(sign_checkpoint(empty, key_of(0)), key_of(0).public_key());
    REQUIRE(opened.has_value());
    CHECK(*opened == empty);
    CHECK(code_of(std::string(vector) + std::string(witness)).empty());
}

TEST_CASE("a checkpoint by another key, or changed in any byte, does not open") {
    const auto other = open_checkpoint(vector, key_of(7).public_key());
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().code == "checkpoint_signature");
    for (std::size_t at = 0; at < vector.size(); ++at) {
        std::string changed(vector);
        changed[at] = static_cast<char>(changed[at] ^ 1);
        INFO(at);
        CHECK_FALSE(code_of(changed).empty());
    }
}

TEST_CASE("a checkpoint cut short anywhere does not open") {
    for (std::size_t length = 0; length < vector.size(); ++length) {
        INFO(length);
        CHECK_FALSE(code_of(vector.substr(0, length)).empty());
    }
}

TEST_CASE("text that is no checkpoint is refused by its form") {
    CHECK(code_of(with("\n1403\n", "\n01403\n")) == "checkpoint_form");
    CHECK(code_of(with("\n1403\n", "\n-1\n")) == "checkpoint_form");
    CHECK(code_of(with("\n1403\n", "\n99999999999999999999\n")) == "checkpoint_form");
    CHECK(code_of(with("amoskys/bus-1", "amoskys/bus 1")) == "checkpoint_form");
    CHECK(code_of(with("ZGVm", "")) == "checkpoint_form");
    CHECK(code_of(with("05.000000007Z", "05Z")) == "checkpoint_form");
    CHECK(code_of(std::string(vector) + "no signature\n") == "checkpoint_form");
    CHECK(code_of(std::string(checkpoint_bytes_max + 1, 'a')) == "checkpoint_form");
    CHECK(code_of("\n\n\n") == "checkpoint_form");
}
