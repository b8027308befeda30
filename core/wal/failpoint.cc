#include "core/wal/failpoint.h"

#ifdef AMOSKYS_FAILPOINTS
namespace amoskys::wal {

namespace {

std::function<int(std::string_view)>& handler() {
    static std::function<int(std::string_view)> instance;
    return instance;
}

}  // namespace

void set_failpoints(std::function<int(std::string_view)> at_step) {
    handler() = std::move(at_step);
}

int failpoint(std::string_view step) {
    return handler() ? handler()(step) : 0;
}

}  // namespace amoskys::wal
#endif
