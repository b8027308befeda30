// Where secrets come from: "@FILE", "-" (standard input), "credential:NAME" (a file of
// $CREDENTIALS_DIRECTORY); "@@x" is the text "@x"; anything else is the secret itself.
// Used by load.cc, once per load, on its thread.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace amoskys::config {

class SecretSource {
  public:
    SecretSource(int input_fd, std::string credentials_directory)
        : input_fd_(input_fd), credentials_directory_(std::move(credentials_directory)) {}

    // One trailing line break of a file or of the input is not part of the secret. At most 64 KiB.
    Result<std::string> resolve(std::string_view text);

  private:
    Result<std::string> read_input();

    int input_fd_;
    std::string credentials_directory_;
    bool input_was_read_ = false;
};

// Overwrites the text before it is freed.
void wipe(std::string& text);

}  // namespace amoskys::config
