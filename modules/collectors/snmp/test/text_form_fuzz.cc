// Hints and octets that a device or a profile could hold: the result is UTF-8, and ends.
#include <cstdlib>

#include "core/base/text.h"
#include "modules/collectors/snmp/text_form.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace amoskys::snmp;
    const std::string_view all(reinterpret_cast<const char*>(data), size);
    const auto middle = all.find('\n');
    const std::string_view hint = all.substr(0, middle);
    const std::string_view octets =
        middle == all.npos ? std::string_view() : all.substr(middle + 1);
    if (const auto text = by_hint(hint, octets); text && !amoskys::valid_utf8(*text))
        std::abort();
    static_cast<void>(date_and_time(octets));
    if (!amoskys::valid_utf8(to_utf8(all)))
        std::abort();
    return 0;
}
