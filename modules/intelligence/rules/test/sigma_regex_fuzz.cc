// Any bytes as a regular expression and a text: refused, or an answer that is the same again, and
// the same when the text is searched from a copy with a fresh cache.
#include <cstdlib>

#include "core/base/bytes.h"
#include "modules/intelligence/rules/regex.h"

using namespace amoskys;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const rules::Regex::Flags flags{(data[0] & 1) != 0, (data[0] & 2) != 0, (data[0] & 4) != 0};
    const std::string_view input = as_text({data + 1, size - 1});
    const std::size_t end = std::min(input.find('\0'), input.size());
    const std::string_view pattern = input.substr(0, end);
    const std::string_view text = end < input.size() ? input.substr(end + 1, 4096) : input;
    auto regex = rules::Regex::compile(pattern, flags);
    if (!regex)
        return regex.error().message.empty() ? (std::abort(), 0) : 0;
    const bool found = regex->search(text);
    if (regex->search(text) != found)
        std::abort();
    auto again = rules::Regex::compile(pattern, flags);
    if (!again || again->search(text) != found)
        std::abort();
    return 0;
}
