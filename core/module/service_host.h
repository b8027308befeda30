// What a service gets from whoever runs it: readiness, and the place to say it.
#pragma once

#include <string>

#include "core/module/module.h"

namespace amoskys::module {

// Writes the addresses to --ready-file (one JSON object, renamed into place), tells the service
// manager.
class ReadyFile final : public ServiceHost {
  public:
    explicit ReadyFile(std::string path);
    ~ReadyFile() override;  // removes the file: nothing is ready any more
    void ready(const Json& addresses) override;

  private:
    std::string path_;
    bool written_ = false;
};

}  // namespace amoskys::module
