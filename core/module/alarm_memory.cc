#include "core/module/alarm_memory.h"

#include "core/base/bytes.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/json/json.h"

namespace amoskys::module {

namespace {

constexpr std::uint64_t file_bytes_max = 64 << 20;
constexpr std::string_view schema = "amoskys.alarms/1";

// Names from devices may be any bytes; JSON is text.
Json bytes_of(const std::string& text) {
    return to_base64(as_bytes(text));
}

bool read_bytes(const Json& object, const char* key, std::string& out) {
    const auto at = object.find(key);
    if (at == object.end() || !at->is_string())
        return false;
    Bytes bytes;
    if (!from_base64(at->get<std::string>(), bytes))
        return false;
    out = to_string(bytes);
    return true;
}

bool read_alarm(const Json& object, ActiveAlarm& out) {
    if (!object.is_object() || !read_bytes(object, "rule", out.rule) ||
        !read_bytes(object, "device", out.device) || !read_bytes(object, "index", out.index))
        return false;
    const auto critical = object.find("critical");
    const auto since = object.find("since_ns");
    if (critical == object.end() || !critical->is_boolean() || since == object.end() ||
        !since->is_number_unsigned())
        return false;
    out.critical = critical->get<bool>();
    out.since_ns = since->get<std::uint64_t>();
    return true;
}

}  // namespace

Result<std::vector<ActiveAlarm>> AlarmMemory::load() const {
    std::vector<ActiveAlarm> out;
    const auto text = read_file(file_, file_bytes_max);
    if (!text) {
        if (text.error().kind == ErrorKind::no_input)
            return out;
        return text.error();
    }
    AMOSKYS_TRY(content, json::parse(*text, file_.string()));
    const auto damaged = [&] {
        return make_error(ErrorKind::bad_data, "alarms_damaged",
                          file_.string() + ": not the alarms of an agent");
    };
    const auto list = content.is_object() ? content.find("alarms") : content.end();
    if (!content.is_object() || content.value("schema", "") != schema || list == content.end() ||
        !list->is_array())
        return damaged();
    for (const Json& each : *list)
        if (!read_alarm(each, out.emplace_back()))
            return damaged();
    return out;
}

Result<> AlarmMemory::save(const std::vector<ActiveAlarm>& alarms) const {
    Json list = Json::array();
    for (const ActiveAlarm& each : alarms)
        list.push_back({{"rule", bytes_of(each.rule)},
                        {"device", bytes_of(each.device)},
                        {"index", bytes_of(each.index)},
                        {"critical", each.critical},
                        {"since_ns", each.since_ns}});
    const Json content = {{"schema", schema}, {"alarms", std::move(list)}};
    return write_file_atomic(file_, json::dump(content) + "\n", 0600);
}

}  // namespace amoskys::module
