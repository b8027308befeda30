// Implementation of option<&Config::member>(): maps the member's C++ type to an option type.
// Included by option.h only.
#pragma once

#include "core/config/option.h"

namespace amoskys::config {
namespace detail {

template <class T>
struct MemberOf;
template <class Config, class Value>
struct MemberOf<Value Config::*> {
    using ConfigType = Config;
    using ValueType = Value;
};

Result<> parse_value(const Option& option, std::string_view text, bool& out);
Result<> parse_value(const Option& option, std::string_view text, std::int64_t& out);
Result<> parse_value(const Option& option, std::string_view text, std::uint64_t& out);
Result<> parse_value(const Option& option, std::string_view text, double& out);
Result<> parse_value(const Option& option, std::string_view text, std::string& out);
Result<> parse_value(const Option& option, std::string_view text, Duration& out);
Result<> parse_value(const Option& option, std::string_view text, Size& out);
Result<> parse_value(const Option& option, std::string_view text, Secret& out);
Result<> parse_list(const Option& option, const std::vector<std::string>& items,
                    std::vector<std::string>& out);
// A list given as one text (environment, --set, a YAML scalar): items between commas, trimmed; "" =
// none.
std::vector<std::string> split_list(std::string_view text);

std::string show_value(bool value);
std::string show_value(std::int64_t value);
std::string show_value(std::uint64_t value);
std::string show_value(double value);
std::string show_value(const std::string& value);
std::string show_value(Duration value);
std::string show_value(const Size& value);
std::string show_value(const Secret& value);
std::string show_value(const std::vector<std::string>& value);

template <class T>
consteval Type type_of() {
    if constexpr (std::is_same_v<T, bool>)
        return Type::boolean;
    else if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::uint64_t>)
        return Type::integer;
    else if constexpr (std::is_same_v<T, double>)
        return Type::number;
    else if constexpr (std::is_same_v<T, Duration>)
        return Type::duration;
    else if constexpr (std::is_same_v<T, Size>)
        return Type::size;
    else if constexpr (std::is_same_v<T, std::vector<std::string>>)
        return Type::text_list;
    else {
        static_assert(std::is_same_v<T, std::string> || std::is_same_v<T, Secret>,
                      "no option type for this member");
        return Type::text;
    }
}

template <auto Member>
Result<> assign_member(const Option& self, void* config, std::string_view text) {
    using M = MemberOf<decltype(Member)>;
    auto& value = static_cast<typename M::ConfigType*>(config)->*Member;
    if constexpr (std::is_same_v<typename M::ValueType, std::vector<std::string>>)
        return parse_list(self, split_list(text), value);
    else
        return parse_value(self, text, value);
}

template <auto Member>
Result<> assign_member_list(const Option& self, void* config,
                            const std::vector<std::string>& items) {
    using M = MemberOf<decltype(Member)>;
    auto& value = static_cast<typename M::ConfigType*>(config)->*Member;
    return parse_list(self, items, value);
}

template <auto Member>
std::string show_member(const void* config) {
    using M = MemberOf<decltype(Member)>;
    return show_value(static_cast<const typename M::ConfigType*>(config)->*Member);
}

}  // namespace detail

template <auto Member>
consteval Option option(std::string_view name, std::string_view unit, std::string_view help,
                        Bounds bounds, Flags flags) {
    using Value = typename detail::MemberOf<decltype(Member)>::ValueType;
    Option result;
    result.name = name;
    result.type = detail::type_of<Value>();
    result.secret = std::is_same_v<Value, Secret>;
    result.unit = unit;
    result.help = help;
    result.bounds = bounds;
    result.flags = flags;
    result.assign = &detail::assign_member<Member>;
    if constexpr (std::is_same_v<Value, std::vector<std::string>>)
        result.assign_list = &detail::assign_member_list<Member>;
    result.show = &detail::show_member<Member>;
    return result;
}

}  // namespace amoskys::config
