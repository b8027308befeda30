// Texts of /proc/PID: the first byte picks the decoder.
#include <cstdlib>
#include <string>

#include "core/base/text.h"
#include "modules/collectors/proc/cgroup.h"
#include "modules/collectors/proc/decode.h"
#include "modules/collectors/proc/status.h"
#include "modules/collectors/proc/users.h"

using namespace amoskys::proc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    Arguments arguments;
    std::string safe;
    switch (data[0] % 6) {
        case 0:
            if (const auto stat = parse_stat(text))
                tty_name(stat->tty);
            break;
        case 1:
            parse_status(text);
            break;
        case 2:
            parse_cmdline(text, arguments);
            if (arguments.joined.size() > max_args_bytes || !amoskys::valid_utf8(arguments.joined))
                std::abort();
            break;
        case 3:
            find_container(text);
            parse_cgroup(text);
            break;
        case 4:
            parse_io(text);
            parse_pss(text);
            parse_passwd(text);
            break;
        default:
            append_safe_text(text, 64, safe);
            if (safe.size() > 64 || !amoskys::valid_utf8(safe))
                std::abort();
    }
    return 0;
}
