#include "core/wire/protobuf_log.h"

#include <google/protobuf/stubs/logging.h>

namespace amoskys::wire {

void silence_protobuf() {
    static const auto previous = google::protobuf::SetLogHandler(nullptr);
    static_cast<void>(previous);
}

}  // namespace amoskys::wire
