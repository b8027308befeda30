// One line for people about an event, from its row.
#include "core/wire/event.h"

namespace amoskys::wire {
namespace {

constexpr std::size_t longest_bytes = 160;

// A field of the row, as text; empty where it is not there.
class Fields {
  public:
    explicit Fields(const Json& row) : row_(row) {}
    std::string operator()(std::string_view name) const {
        const auto found = row_.find(name);
        if (found == row_.end() || found->is_null())
            return {};
        return found->is_string() ? found->get<std::string>() : json::dump(*found);
    }
    Fields below(std::string_view name) const {
        static const Json none = Json::object();
        const auto found = row_.find(name);
        return Fields(found != row_.end() && found->is_object() ? *found : none);
    }

  private:
    const Json& row_;
};

// Words with blanks between, those that are there.
std::string words(std::initializer_list<std::string> parts) {
    std::string out;
    for (const std::string& part : parts)
        out += (out.empty() || part.empty() ? "" : " ") + part;
    return out;
}

std::string with(std::string_view before, const std::string& text, std::string_view after = "") {
    return text.empty() ? "" : std::string(before) + text + std::string(after);
}

std::string said(const std::string& head, const std::string& tail) {
    return head + (head.empty() || tail.empty() ? "" : ": ") + tail;
}

std::string metric_text(const Fields& row) {
    const std::string unit = row("unit");
    return row("metric") + with("[", row("index"), "]") + "=" + row("value") +
           (unit == "1" ? "" : with(" ", unit));
}

std::string endpoint(const std::string& address, const std::string& port) {
    const bool brackets = address.find(':') != std::string::npos;
    return (brackets ? "[" + address + "]" : address) + with(":", port);
}

std::string flow_text(const Fields& row) {
    return words({row("protocol"),
                  endpoint(row("src_ip"), row("src_port")) + " -> " +
                      endpoint(row("dst_ip"), row("dst_port")),
                  row("conn_state"), row("bytes_sent") + "/" + row("bytes_recv") + " bytes",
                  row("service"), row("sni")});
}

std::string process_text(const Fields& row) {
    const std::string name = row("name");
    return words({row("change"), name.empty() ? row("exe") : name, "pid " + row("pid"),
                  with("exit ", row("exit_code")), row("cmdline")});
}

std::string gap_text(const Fields& row) {
    return said("lost " + row("envelopes") + " envelopes, " + row("events") + " events (" +
                    row("first_sequence") + ".." + row("last_sequence") + ")",
                row("reason"));
}

std::string audit_text(const Fields& audit) {
    const std::string before = audit("before_value"), after = audit("after_value");
    return said(words({audit("audit_category"), audit("action_performed"), audit("object_id"),
                       with("by ", audit("actor_id"))}),
                before + (before.empty() || after.empty() ? "" : " -> ") + after);
}

std::string security_text(const Fields& security) {
    return said(words({security("event_category"), security("event_action"),
                       security("target_resource"), with("by ", security("user_name"))}),
                security("analyst_notes"));
}

std::string status_text(const Fields& status, const Fields& attributes) {
    const std::string before = status("previous_status");
    return said(words({status("component_name"), status("status"),
                       before == status("status") ? "" : with("(was ", before, ")")}),
                attributes("reason"));
}

}  // namespace

std::string event_text(const Json& event) {
    const Fields row(event);
    const std::string kind = row("kind");
    const Fields own = row.below(kind);
    std::string out;
    if (kind == "metric")
        out = metric_text(row);
    else if (kind == "flow")
        out = flow_text(row);
    else if (kind == "process")
        out = process_text(row);
    else if (kind == "gap")
        out = gap_text(row);
    else if (kind == "audit")
        out = audit_text(own);
    else if (kind == "security")
        out = security_text(own);
    else if (kind == "status")
        out = status_text(own, row.below("attributes"));
    else if (kind == "alarm")
        out = said(words({own("state"), own("alarm_name")}), own("description"));
    else if (kind == "log")
        out = said(words({own("log_level"), own("process_name")}), own("message"));
    if (out.size() <= longest_bytes)
        return out;
    std::size_t end = longest_bytes;  // not inside a character
    while (end > longest_bytes - 4 && (static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80U)
        --end;
    return out.substr(0, end) + "...";
}

}  // namespace amoskys::wire
