#include "modules/transformation/etl/observe.h"

#include <array>
#include <string_view>

namespace amoskys::etl {
namespace {

using module::FlowSample;
using module::ProcessSample;

// FNV-1a: the samples only ask whether two names are the same.
class Hash {
  public:
    Hash& add(std::string_view bytes) {
        for (const char c : bytes)
            value_ = (value_ ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
        value_ = (value_ ^ 0xff) * 1099511628211ULL;  // "a", "bc" is not "ab", "c"
        return *this;
    }
    Hash& add(std::uint64_t number) {
        return add({reinterpret_cast<const char*>(&number), sizeof number});
    }
    std::uint64_t value() const { return value_ == 0 ? 1 : value_; }

  private:
    std::uint64_t value_ = 14695981039346656037ULL;
};

std::uint64_t hash_of(std::string_view text) {
    return text.empty() ? 0 : Hash().add(text).value();
}

// "/usr/bin/sh (deleted)" and the name "sh" are the same program: the file's
// own name, else the name that the process gave itself.
std::string_view program_of(const messaging::ProcessEvent& event) {
    std::string_view path = event.exe();
    constexpr std::string_view deleted = " (deleted)";
    if (path.ends_with(deleted))
        path.remove_suffix(deleted.size());
    path.remove_prefix(path.find_last_of('/') + 1);
    return path.empty() ? std::string_view(event.name()) : path;
}

ProcessSample::Kind kind_of(std::string_view kind) {
    constexpr std::array<std::pair<std::string_view, ProcessSample::Kind>, 3> words{{
        {"START", ProcessSample::Kind::started},
        {"EXEC", ProcessSample::Kind::executed},
        {"EXIT", ProcessSample::Kind::ended},
    }};
    for (const auto& [word, meaning] : words)
        if (word == kind)
            return meaning;
    return ProcessSample::Kind::seen;
}

// Zeek's states of an attempt that came to nothing.
bool is_failure(std::string_view state) {
    constexpr std::array<std::string_view, 6> failed = {"S0",    "REJ", "RSTOS0",
                                                        "RSTRH", "SH",  "SHR"};
    return std::find(failed.begin(), failed.end(), state) != failed.end();
}

double first_of(bool has_first, std::uint64_t first, std::uint64_t second) {
    return static_cast<double>(has_first ? first : second);
}

}  // namespace

std::optional<ProcessSample> process_sample(const wire::Event& event) {
    ProcessSample out;
    out.time_ns = event.time_ns;
    if (event.kind == wire::EventKind::security) {
        out.kind = ProcessSample::Kind::suspicious;
        return out;
    }
    if (event.kind != wire::EventKind::process || event.process == nullptr)
        return std::nullopt;
    const messaging::ProcessEvent& from = *event.process;
    out.kind = kind_of(from.kind());
    const std::uint64_t start = from.has_start_ticks() ? from.start_ticks() : from.start_ts_ns();
    out.process = Hash().add(from.boot_id()).add(from.pid()).add(start).value();
    out.name = hash_of(program_of(from));
    if (from.has_cpu_percent())
        out.cpu_percent = from.cpu_percent();
    if (from.has_rss_bytes())
        out.rss_bytes = static_cast<double>(from.rss_bytes());
    if (from.has_threads())
        out.threads = from.threads();
    if (from.has_fds())
        out.files = from.fds();
    if (from.has_sockets())
        out.sockets = from.sockets();
    if (from.has_duration_ns())
        out.lifetime_s = static_cast<double>(from.duration_ns()) * 1e-9;
    return out;
}

std::optional<FlowSample> flow_sample(const wire::Event& event) {
    if (event.kind != wire::EventKind::flow || event.flow == nullptr || event.source == "legacy")
        return std::nullopt;
    const messaging::FlowEvent& from = *event.flow;
    constexpr std::uint32_t syn = 2, ack = 16;
    FlowSample out;
    out.start_ns = event.time_ns;
    out.time_ns = std::max(out.start_ns, from.end_time());
    out.source = hash_of(from.src_ip());
    out.target = hash_of(from.dst_ip());
    out.source_port = static_cast<std::uint16_t>(from.src_port());
    out.target_port = static_cast<std::uint16_t>(from.dst_port());
    out.bytes_sent = first_of(from.has_ip_bytes_sent(), from.ip_bytes_sent(), from.bytes_sent());
    out.bytes_recv = first_of(from.has_ip_bytes_recv(), from.ip_bytes_recv(), from.bytes_recv());
    if (from.has_packets_sent())
        out.packets_sent = static_cast<double>(from.packets_sent());
    if (from.has_packets_recv())
        out.packets_recv = static_cast<double>(from.packets_recv());
    out.is_tcp = from.protocol() == "TCP";
    out.is_udp = from.protocol() == "UDP";
    out.has_state = !from.conn_state().empty();
    out.failed = is_failure(from.conn_state());
    out.only_syn =
        out.is_tcp && from.has_tcp_flags_sent() && (from.tcp_flags_sent() & (syn | ack)) == syn;
    out.begins = !from.has_part() || from.part() <= 1;
    return out;
}

void transfer(StateArchive& archive, module::ProcessSample& sample) {
    archive.time(sample.time_ns);
    archive.number(sample.process);
    archive.number(sample.name);
    for (double* value : {&sample.cpu_percent, &sample.rss_bytes, &sample.threads, &sample.files,
                          &sample.sockets, &sample.lifetime_s})
        archive.number(*value);
    auto kind = static_cast<std::uint8_t>(sample.kind);
    archive.number(kind);
    if (kind > static_cast<std::uint8_t>(module::ProcessSample::Kind::suspicious))
        archive.refuse();
    else
        sample.kind = static_cast<module::ProcessSample::Kind>(kind);
}

void transfer(StateArchive& archive, module::FlowSample& sample) {
    archive.time(sample.time_ns);
    for (std::uint64_t* value : {&sample.start_ns, &sample.source, &sample.target})
        archive.number(*value);
    for (double* value :
         {&sample.bytes_sent, &sample.bytes_recv, &sample.packets_sent, &sample.packets_recv})
        archive.number(*value);
    archive.number(sample.source_port);
    archive.number(sample.target_port);
    for (bool* value : {&sample.is_tcp, &sample.is_udp, &sample.has_state, &sample.failed,
                        &sample.only_syn, &sample.begins})
        archive.flag(*value);
}

}  // namespace amoskys::etl
