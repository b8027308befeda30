// Any bytes as a rule file: refused with a reason, or rules that judge an event without end or
// crash. What is before a NUL is the file, what is behind it a text of the event.
#include <cstdlib>

#include "core/base/bytes.h"
#include "modules/intelligence/rules/matcher.h"
#include "modules/intelligence/rules/rule.h"
#include "modules/intelligence/rules/rule_text.h"

using namespace amoskys;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input = as_text({data, size});
    const std::size_t end = std::min(input.find('\0'), input.size());
    const std::string_view text = end < input.size() ? input.substr(end + 1, 4096) : "bash -i";
    for (const rules::ParsedRule& parsed : rules::parse_rules(input.substr(0, end), "fuzz.yml")) {
        if (parsed.fault != rules::ParsedRule::Fault::none) {
            if (parsed.reason.empty())
                std::abort();
            continue;
        }
        static_cast<void>(rules::explanation(parsed.rule, {}));
        if (parsed.rule.correlation)
            continue;
        auto matcher = rules::Matcher::compile({&parsed.rule.detection});
        if (!matcher)
            continue;
        rules::EventTexts event;
        for (std::size_t i = 0; i < matcher->fields().size(); ++i) {
            event.begin.push_back(static_cast<std::uint32_t>(event.texts.size()));
            event.texts.push_back(text);
        }
        event.begin.push_back(static_cast<std::uint32_t>(event.texts.size()));
        const std::size_t found = matcher->match(event).size();
        if (matcher->match(event).size() != found)
            std::abort();
    }
    return 0;
}
