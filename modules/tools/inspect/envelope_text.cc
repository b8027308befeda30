#include "modules/tools/inspect/envelope_text.h"

#include <google/protobuf/text_format.h>

#include <array>

#include "core/base/text.h"
#include "core/wire/protobuf_log.h"
#include "proto/messaging_schema.pb.h"
#include "proto/universal_telemetry.pb.h"

namespace amoskys::modules::inspect {

namespace {

constexpr std::array<Column, 7> envelope_columns{{
    {"offset", "", true, true},
    {"kind"},
    {"received"},
    {"stored_bytes", "", true, true},
    {"flags"},
    {"digest", "", false},
    {"text"},
}};

template <class Message>
std::string text_of(ByteView stored) {
    Message message;
    std::string out;
    if (stored.size() > INT32_MAX ||
        !message.ParseFromArray(stored.data(), static_cast<int>(stored.size())))
        return "(not readable as " + std::string(message.GetTypeName()) + ")\n";
    google::protobuf::TextFormat::Printer printer;
    printer.SetUseUtf8StringEscaping(false);
    if (!printer.PrintToString(message, &out))
        return "(cannot be printed)\n";
    return out;
}

std::string stored_text(const wal::RecordView& record) {
    wire::silence_protobuf();
    switch (record.header.kind) {
        case RecordKind::legacy:
            return text_of<messaging::Envelope>(record.stored);
        case RecordKind::audit:
            return text_of<messaging::DeviceTelemetry>(record.stored);
        default:
            return text_of<messaging::UniversalEnvelope>(record.stored);
    }
}

Json flag_names(std::uint16_t flags) {
    Json out = Json::array();
    if ((flags & wal::flag_unsigned) != 0)
        out.push_back("unsigned");
    if ((flags & wal::flag_future_time) != 0)
        out.push_back("future_time");
    if ((flags & wal::flag_imported) != 0)
        out.push_back("imported");
    return out;
}

}  // namespace

const Noun envelope_noun{"envelope", envelope_columns};

std::string_view record_kind_name(RecordKind kind) {
    static constexpr std::array<std::string_view, 5> names{"unknown", "universal", "legacy", "gap",
                                                           "audit"};
    const auto index = static_cast<std::size_t>(kind);
    return index < names.size() ? names[index] : names[0];
}

Json envelope_json(const wal::RecordView& record) {
    Json out = Json::object();
    out["offset"] = record.header.offset.value;
    out["kind"] = record_kind_name(record.header.kind);
    out["received"] = json::time(record.header.received_ns);
    out["stored_bytes"] = record.header.stored_bytes;
    out["flags"] = flag_names(record.header.flags);
    out["digest"] = to_hex(record.header.digest);
    out["text"] = stored_text(record);
    return out;
}

std::string envelope_table_text(const Json& envelope) {
    std::string out = "# offset " + envelope["offset"].dump() + ", " +
                      envelope["kind"].get<std::string>() + ", " + envelope["stored_bytes"].dump() +
                      " bytes, received " + envelope["received"].get<std::string>();
    for (const auto& flag : envelope["flags"])
        out += ", " + flag.get<std::string>();
    return out + "\n" + envelope["text"].get<std::string>() + "\n";
}

}  // namespace amoskys::modules::inspect
