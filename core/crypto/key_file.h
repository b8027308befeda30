// Reading and writing of key files: private ones are refused where group or others can read them,
// and what was read is zeroed. Used by signing.cc, pki.cc and core/io's TLS contexts.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace amoskys::crypto {

// Text that is zeroed on destruction. Not copyable, so that no copy is left behind.
class SecretText {
  public:
    SecretText() = default;
    explicit SecretText(std::string text) : text_(std::move(text)) {}
    SecretText(SecretText&& other) noexcept { swap(other); }
    SecretText& operator=(SecretText&& other) noexcept {
        swap(other);
        return *this;
    }
    ~SecretText();
    std::string_view view() const { return text_; }

  private:
    void swap(SecretText& other) noexcept { text_.swap(other.text_); }
    std::string text_;
};

inline constexpr std::size_t max_key_file_bytes = 64 * 1024;

// A regular file of at most 64 KiB that only its owner can read or write. The check and the read
// are of the same open file, and a FIFO does not block. permission "key_file_readable" otherwise.
Result<SecretText> read_private_file(const std::filesystem::path& file);

// The check alone, for files that another library opens by name.
Result<> require_private(const std::filesystem::path& file);

// The texts of BoringSSL's pending errors, "; " between them; the queue is empty afterwards, as TLS
// code on the same thread would otherwise take them for its own.
std::string take_openssl_errors();

}  // namespace amoskys::crypto
