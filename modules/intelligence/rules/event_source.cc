#include "modules/intelligence/rules/event_source.h"

#include <algorithm>
#include <span>

#include "core/config/yaml_tree.h"
#include "modules/intelligence/rules/detection.h"

namespace amoskys::rules {
namespace {

using config::YamlNode;
using messaging::FlowEvent;
using messaging::ProcessEvent;
using wire::Event;
using Reader = EventClass::Reader;

constexpr std::string_view deleted = " (deleted)";

// ---- what events hold -------------------------------------------------------------------------

template <auto Getter>
void process_text(const Event& event, TextSink& sink) {
    sink.add((event.process->*Getter)());
}
template <auto Getter>
void process_number(const Event& event, TextSink& sink) {
    sink.add_number(static_cast<std::uint64_t>((event.process->*Getter)()));
}
template <auto Has, auto Getter>
void process_optional(const Event& event, TextSink& sink) {
    if ((event.process->*Has)())
        sink.add_number(static_cast<std::uint64_t>((event.process->*Getter)()));
}
template <auto Getter>
void flow_text(const Event& event, TextSink& sink) {
    sink.add((event.flow->*Getter)());
}
template <auto Getter>
void flow_number(const Event& event, TextSink& sink) {
    sink.add_number(static_cast<std::uint64_t>((event.flow->*Getter)()));
}
template <auto Getter>
void log_text(const Event& event, TextSink& sink) {
    sink.add((event.event->log_data().*Getter)());
}
template <auto Getter>
void security_text(const Event& event, TextSink& sink) {
    sink.add((event.event->security_event().*Getter)());
}

void image(const Event& event, TextSink& sink) {
    std::string_view exe = event.process->exe();
    if (exe.ends_with(deleted))
        exe.remove_suffix(deleted.size());
    sink.add(exe);
}
void command_line(const Event& event, TextSink& sink) {
    const ProcessEvent& process = *event.process;
    if (!process.cmdline().empty() || process.args().empty())
        return sink.add(process.cmdline());
    std::string joined;
    for (const std::string& arg : process.args())
        joined += (joined.empty() ? "" : " ") + arg;
    sink.add_made(std::move(joined));
}
void dns_names(const Event& event, TextSink& sink) {
    for (const std::string& name : event.flow->dns_names())
        sink.add(name);
}
void flow_bytes(const Event& event, TextSink& sink) {
    sink.add_number(event.flow->bytes_sent() + event.flow->bytes_recv());
}
void techniques(const Event& event, TextSink& sink) {
    for (const std::string& each : event.event->security_event().mitre_techniques())
        sink.add(each);
}
void device(const Event& event, TextSink& sink) {
    sink.add(event.device);
}
void source(const Event& event, TextSink& sink) {
    sink.add(event.source);
}
void severity(const Event& event, TextSink& sink) {
    sink.add(event.severity);
}
void hour_utc(const Event& event, TextSink& sink) {
    sink.add_number(event.time_ns / 3'600'000'000'000ULL % 24);
}
void yes(const Event&, TextSink& sink) {
    sink.add("true");
}

struct NamedReader {
    std::string_view name;
    Reader read;
};

constexpr NamedReader common_readers[] = {
    {"device", device},     {"source", source}, {"severity", severity},
    {"hour_utc", hour_utc}, {"true", yes},
};
constexpr NamedReader process_readers[] = {
    {"exe", image},
    {"cmdline", command_line},
    {"name", process_text<&ProcessEvent::name>},
    {"kind", process_text<&ProcessEvent::kind>},
    {"user", process_text<&ProcessEvent::user>},
    {"login_user", process_text<&ProcessEvent::login_user>},
    {"cwd", process_text<&ProcessEvent::cwd>},
    {"tty", process_text<&ProcessEvent::tty>},
    {"parent_exe", process_text<&ProcessEvent::parent_exe>},
    {"parent_cmdline", process_text<&ProcessEvent::parent_cmdline>},
    {"container_id", process_text<&ProcessEvent::container_id>},
    {"exe_state", process_text<&ProcessEvent::exe_state>},
    {"exe_sha256", process_text<&ProcessEvent::exe_sha256>},
    {"pid", process_number<&ProcessEvent::pid>},
    {"ppid", process_number<&ProcessEvent::ppid>},
    {"uid", process_number<&ProcessEvent::uid>},
    {"euid", process_optional<&ProcessEvent::has_euid, &ProcessEvent::euid>},
    {"loginuid", process_optional<&ProcessEvent::has_loginuid, &ProcessEvent::loginuid>},
    {"sid", process_optional<&ProcessEvent::has_sid, &ProcessEvent::sid>},
};
constexpr NamedReader flow_readers[] = {
    {"src_ip", flow_text<&FlowEvent::src_ip>},
    {"dst_ip", flow_text<&FlowEvent::dst_ip>},
    {"src_port", flow_number<&FlowEvent::src_port>},
    {"dst_port", flow_number<&FlowEvent::dst_port>},
    {"protocol", flow_text<&FlowEvent::protocol>},
    {"service", flow_text<&FlowEvent::service>},
    {"conn_state", flow_text<&FlowEvent::conn_state>},
    {"sni", flow_text<&FlowEvent::sni>},
    {"host", flow_text<&FlowEvent::host>},
    {"ja4", flow_text<&FlowEvent::ja4>},
    {"http_method", flow_text<&FlowEvent::http_method>},
    {"client_software", flow_text<&FlowEvent::client_software>},
    {"server_software", flow_text<&FlowEvent::server_software>},
    {"dns_names", dns_names},
    {"bytes_sent", flow_number<&FlowEvent::bytes_sent>},
    {"bytes_recv", flow_number<&FlowEvent::bytes_recv>},
    {"bytes", flow_bytes},
};
constexpr NamedReader log_readers[] = {
    {"message", log_text<&messaging::LogData::message>},
    {"level", log_text<&messaging::LogData::log_level>},
    {"program", log_text<&messaging::LogData::process_name>},
    {"file", log_text<&messaging::LogData::source_file>},
};
constexpr NamedReader security_readers[] = {
    {"category", security_text<&messaging::SecurityEvent::event_category>},
    {"action", security_text<&messaging::SecurityEvent::event_action>},
    {"outcome", security_text<&messaging::SecurityEvent::event_outcome>},
    {"user", security_text<&messaging::SecurityEvent::user_name>},
    {"source_ip", security_text<&messaging::SecurityEvent::source_ip>},
    {"target", security_text<&messaging::SecurityEvent::target_resource>},
    {"techniques", techniques},
};

// A process is judged when it starts or becomes another program, and when it is first described in
// full; a `partial` event repeats what was known.
bool takes_process(const Event& event) {
    return event.process != nullptr && !event.process->partial() && event.process->kind() != "EXIT";
}
bool takes_flow(const Event& event) {
    return event.flow != nullptr;
}
bool takes_dns(const Event& event) {
    return event.flow != nullptr && !event.flow->dns_names().empty();
}
bool takes_http(const Event& event) {
    return event.flow != nullptr &&
           (event.flow->service() == "http" || !event.flow->http_method().empty());
}
bool takes_rdp(const Event& event) {
    return event.flow != nullptr &&
           (event.flow->service() == "rdp" || event.flow->dst_port() == 3389);
}
bool takes_log(const Event& event) {
    return event.kind == wire::EventKind::log && event.event != nullptr;
}
bool takes_security(const Event& event) {
    return event.kind == wire::EventKind::security && event.event != nullptr;
}

struct ClassName {
    std::string_view name;
    bool (*takes)(const Event&);
    std::span<const NamedReader> readers;
};
constexpr ClassName class_names[] = {
    {"process", takes_process, process_readers},
    {"flow", takes_flow, flow_readers},
    {"dns", takes_dns, flow_readers},
    {"http", takes_http, flow_readers},
    {"rdp", takes_rdp, flow_readers},
    {"log", takes_log, log_readers},
    {"security", takes_security, security_readers},
};

Reader find_reader(std::span<const NamedReader> readers, std::string_view name) {
    for (const NamedReader& each : readers)
        if (each.name == name)
            return each.read;
    for (const NamedReader& each : common_readers)
        if (each.name == name)
            return each.read;
    return nullptr;
}

// ---- the mapping ------------------------------------------------------------------------------

class MappingReader {
  public:
    explicit MappingReader(std::string_view file) : file_(file) {}

    Result<EventClass> read(const YamlNode& name, const YamlNode& body) {
        const auto known = std::find_if(std::begin(class_names), std::end(class_names),
                                        [&](const auto& each) { return each.name == name.text; });
        if (known == std::end(class_names))
            return wrong(name, "no kind of events has the name '" + name.text + "'");
        EventClass out;
        out.name = name.text;
        out.takes = known->takes;
        for (const NamedReader& each : common_readers)
            out.fields[std::string(each.name)] = {each.read};
        if (const YamlNode* sources = body.find("logsources"))
            for (const YamlNode& each : sources->items) {
                AMOSKYS_TRY(source, read_source(each));
                out.sources.push_back(std::move(source));
            }
        if (const YamlNode* fields = body.find("fields"))
            for (const auto& [field, wanted] : fields->entries)
                AMOSKYS_TRY_VOID(read_field(out, known->readers, field.text, wanted));
        if (const YamlNode* keywords = body.find("keywords"))
            AMOSKYS_TRY_VOID(read_field(out, known->readers, "", *keywords));
        if (const YamlNode* open = body.find("other-fields"))
            out.open = open->text == "true";
        return out;
    }

  private:
    Error wrong(const YamlNode& at, std::string_view text) const {
        return rule_error("mapping_invalid", file_, at, text);
    }
    static std::vector<std::string> texts_of(const YamlNode& node) {
        if (node.kind == YamlNode::Kind::scalar)
            return {node.text};
        std::vector<std::string> out;
        for (const YamlNode& each : node.items)
            out.push_back(each.text);
        return out;
    }
    Result<EventClass::Source> read_source(const YamlNode& node) const {
        EventClass::Source out;
        for (const auto& [key, value] : node.entries) {
            if (key.text == "product")
                out.source.product = value.text;
            else if (key.text == "category")
                out.source.category = value.text;
            else if (key.text == "service")
                out.source.service = value.text;
            else if (key.text == "when")
                for (const auto& [field, wanted] : value.entries)
                    out.when.push_back({field.text, texts_of(wanted)});
            else
                return wrong(key, "product, category, service or when is wanted");
        }
        return out;
    }
    Result<> read_field(EventClass& out, std::span<const NamedReader> readers,
                        const std::string& field, const YamlNode& wanted) const {
        std::vector<Reader>& found = out.fields[field];
        found.clear();
        for (const std::string& name : texts_of(wanted)) {
            const Reader reader = find_reader(readers, name);
            if (reader == nullptr)
                return wrong(wanted, out.name + " events have no '" + name + "'");
            found.push_back(reader);
        }
        return {};
    }

    std::string_view file_;
};

}  // namespace

void TextSink::clear() {
    texts_.texts.clear();
    texts_.begin.clear();
    used_ = 0;
}

void TextSink::begin_field() {
    texts_.begin.push_back(static_cast<std::uint32_t>(texts_.texts.size()));
}

void TextSink::end() {
    begin_field();
}

void TextSink::add_number(std::uint64_t number) {
    char digits[20];
    char* at = digits + sizeof digits;
    do {
        *--at = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    if (used_ == made_.size())
        made_.emplace_back();
    std::string& text = made_[used_++];
    text.assign(at, digits + sizeof digits);
    texts_.texts.push_back(text);
}

void TextSink::add_made(std::string text) {
    if (used_ == made_.size())
        made_.emplace_back();
    made_[used_] = std::move(text);
    add(made_[used_++]);
}

const EventClass::Source* EventClass::find(const LogSource& wanted) const {
    for (const Source& each : sources)
        if (each.source.category == wanted.category && each.source.product == wanted.product &&
            (each.source.service == "*" || each.source.service == wanted.service))
            return &each;
    return nullptr;
}

bool EventClass::knows(std::string_view field) const {
    return open || fields.contains(field);
}

void EventClass::read(const Event& event, std::string_view field, TextSink& sink) const {
    const auto known = fields.find(field);
    if (known != fields.end()) {
        for (const Reader reader : known->second)
            reader(event, sink);
        return;
    }
    if (!open || event.event == nullptr)
        return;
    const std::string key(field);
    const auto& own = event.event->log_data().fields();
    if (const auto found = own.find(key); found != own.end())
        return sink.add(found->second);
    const auto& attributes = event.event->attributes();
    if (const auto found = attributes.find(key); found != attributes.end())
        sink.add(found->second);
}

Result<std::vector<EventClass>> parse_mapping(std::string_view yaml, std::string_view file) {
    constexpr config::YamlErrors errors{ErrorKind::bad_data, "mapping_invalid"};
    AMOSKYS_TRY(root, config::parse_yaml_tree(yaml, file, errors));
    std::vector<EventClass> out;
    for (const auto& [name, body] : root.entries) {
        AMOSKYS_TRY(read, MappingReader(file).read(name, body));
        out.push_back(std::move(read));
    }
    return out;
}

}  // namespace amoskys::rules
