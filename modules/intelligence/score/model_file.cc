#include "modules/intelligence/score/model_file.h"

#include <algorithm>
#include <charconv>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/types.h"
#include "core/crypto/hash.h"
#include "core/wire/proto_cursor.h"

namespace amoskys::score {
namespace {

using wire::FieldTag;
using wire::ProtoCursor;
using wire::WireType;

constexpr std::uint64_t most_model_bytes = 256ULL << 20;
constexpr unsigned folder_mode = 0700, file_mode = 0600;
constexpr std::uint64_t file_version = 1;
constexpr std::size_t versions_kept = 10;

Error damaged(const std::string& where, const std::string& what) {
    return make_error(ErrorKind::bad_data, "model_damaged", where + ": " + what,
                      "train it again: amoskys score train");
}

void put_field(std::string& out, std::uint32_t field, std::string_view text) {
    wire::put_tag(out, field, WireType::bytes);
    wire::put_varint(out, text.size());
    out += text;
}

void put_number(std::string& out, std::uint32_t field, std::uint64_t value) {
    wire::put_tag(out, field, WireType::varint);
    wire::put_varint(out, value);
}

crypto::Sha256 digest_of(const std::vector<std::string>& columns) {
    crypto::Sha256 hash;
    for (const std::string& column : columns) {
        hash.update(as_bytes(column));
        hash.update(as_bytes("\n"));
    }
    return hash;
}

std::string text_of(const Digest& digest) {
    return std::string(as_text({digest.data(), digest.size()}));
}

// One message: its fields of bytes and its numbers, in their order.
struct Fields {
    std::vector<std::pair<std::uint32_t, ByteView>> bytes;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> numbers;

    static bool read(ByteView data, Fields& out) {
        ProtoCursor cursor(data);
        FieldTag tag;
        while (!cursor.at_end()) {
            ByteView view;
            std::uint64_t number = 0;
            if (!cursor.tag(tag))
                return false;
            if (tag.type == WireType::bytes) {
                if (!cursor.bytes(view))
                    return false;
                out.bytes.emplace_back(tag.number, view);
            } else if (tag.type == WireType::fixed32) {
                if (!cursor.skip(tag.type))
                    return false;
            } else {
                if (!(tag.type == WireType::varint ? cursor.varint(number)
                                                   : cursor.fixed64(number)))
                    return false;
                out.numbers.emplace_back(tag.number, number);
            }
        }
        return true;
    }
    ByteView first(std::uint32_t field) const {
        for (const auto& [number, view] : bytes)
            if (number == field)
                return view;
        return {};
    }
    std::uint64_t number(std::uint32_t field) const {
        for (const auto& [at, value] : numbers)
            if (at == field)
                return value;
        return 0;
    }
    std::string text(std::uint32_t field) const { return to_string(first(field)); }
};

Result<Member> decode_member(std::span<const NamedKind> kinds, ByteView data, std::size_t columns) {
    Fields fields;
    if (!Fields::read(data, fields))
        return model::damaged("a", "it is cut off or no protobuf");
    AMOSKYS_TRY(fitted, model::Saved::decode(fields.first(1)));
    AMOSKYS_TRY(kind, find_kind(kinds, fitted.kind()));
    AMOSKYS_TRY(loaded, kind->load(fitted, columns));
    AMOSKYS_TRY(saved_tail, model::Saved::decode(fields.first(3)));
    AMOSKYS_TRY(tail, Tail::load(saved_tail));
    const std::uint64_t smoothing = fields.number(2);
    const auto weight = std::bit_cast<double>(fields.number(4));
    if (smoothing < 1 || smoothing > 1000 || !(weight > 0 && weight <= 1))
        return model::damaged(fitted.kind(), "smoothing or weight is out of range");
    return Member{fitted.kind(), std::move(loaded), static_cast<std::size_t>(smoothing),
                  std::move(tail), weight};
}

Result<TrainedModel> decode_body(std::span<const NamedKind> kinds, ByteView body) {
    Fields fields;
    if (!Fields::read(body, fields))
        return model::damaged("the", "it is no protobuf");
    TrainedModel out;
    out.name = fields.text(1);
    out.kind = fields.text(2);
    out.trained = fields.text(3);
    AMOSKYS_TRY(training, json::parse(fields.text(4), "training summary"));
    if (!training.is_object())
        return model::damaged("the", "the training summary is no object");
    out.training = std::move(training);
    for (const auto& [number, view] : fields.bytes)
        if (number == 5)
            out.columns.push_back(to_string(view));
    if (out.columns.empty() || fields.text(6) != text_of(digest_of(out.columns).finish()))
        return model::damaged("the", "the columns are not those of its schema hash");
    for (const auto& [number, view] : fields.bytes)
        if (number == 7) {
            AMOSKYS_TRY(member, decode_member(kinds, view, out.columns.size()));
            out.ensemble.members.push_back(std::move(member));
        }
    if (out.ensemble.members.empty())
        return model::damaged("the", "it has no members");
    AMOSKYS_TRY(fusion, fusion_of(fields.text(8)));
    out.ensemble.fusion = fusion;
    AMOSKYS_TRY(saved_threshold, model::Saved::decode(fields.first(9)));
    AMOSKYS_TRY(threshold, ThresholdRule::load(saved_threshold));
    out.threshold = std::move(threshold);
    AMOSKYS_TRY(saved_spread, model::Saved::decode(fields.first(10)));
    AMOSKYS_TRY(spread, Spread::load(saved_spread, out.columns.size()));
    out.spread = std::move(spread);
    return out;
}

}  // namespace

Result<const module::ModelKind*> find_kind(std::span<const NamedKind> kinds,
                                           std::string_view name) {
    std::vector<std::string_view> names;
    std::string known;
    for (const NamedKind& named : kinds) {
        if (named.name == name)
            return named.kind;
        names.push_back(named.name);
        known += (known.empty() ? "" : ", ") + std::string(named.name);
    }
    const std::string_view near = nearest(name, names);
    return make_error(
        ErrorKind::usage, "unknown_model",
        "there is no model kind '" + printable(std::string(name)) + "'",
        near.empty() ? "one of: fused, " + known : "did you mean " + std::string(near) + "?");
}

std::string encode_model(const TrainedModel& model) {
    std::string body, out;
    put_field(body, 1, model.name);
    put_field(body, 2, model.kind);
    put_field(body, 3, model.trained);
    put_field(body, 4, json::dump(model.training));
    for (const std::string& column : model.columns)
        put_field(body, 5, column);
    put_field(body, 6, text_of(digest_of(model.columns).finish()));
    for (const Member& member : model.ensemble.members) {
        std::string part;
        put_field(part, 1, member.model->save().encode());
        put_number(part, 2, member.smoothing);
        put_field(part, 3, member.tail.save().encode());
        wire::put_tag(part, 4, WireType::fixed64);
        part.append(reinterpret_cast<const char*>(&member.weight), sizeof member.weight);
        put_field(body, 7, part);
    }
    put_field(body, 8, fusion_names[static_cast<std::size_t>(model.ensemble.fusion)]);
    put_field(body, 9, model.threshold.save().encode());
    put_field(body, 10, model.spread.save().encode());
    put_number(out, 1, file_version);
    put_field(out, 2, text_of(crypto::sha256(as_bytes(body))));
    put_field(out, 3, body);
    return out;
}

Result<TrainedModel> decode_model(std::span<const NamedKind> kinds, ByteView file,
                                  const std::string& where) {
    Fields fields;
    if (!Fields::read(file, fields) || fields.number(1) == 0)
        return damaged(where, "it is cut off or no model file");
    if (fields.number(1) > file_version)
        return damaged(where, "version " + std::to_string(fields.number(1)) +
                                  " is newer than this program, which reads version " +
                                  std::to_string(file_version));
    const ByteView body = fields.first(3);
    if (fields.text(2) != text_of(crypto::sha256(body)))
        return damaged(where, "its content does not have its SHA-256: it was changed or cut");
    auto model = decode_body(kinds, body);
    if (!model)
        return make_error(model.error().kind, model.error().code,
                          where + ": " + model.error().message, model.error().hint);
    return model;
}

std::filesystem::path model_path(const std::filesystem::path& folder, std::string_view name) {
    return folder / (std::string(name) + ".model");
}

namespace {

std::filesystem::path version_path(const std::filesystem::path& folder, const std::string& name,
                                   std::uint64_t version) {
    return folder / "versions" / name / (std::to_string(version) + ".model");
}

Result<std::string> read_model(const std::filesystem::path& path, const std::string& name) {
    auto text = read_file(path, most_model_bytes);
    if (!text && text.error().kind == ErrorKind::no_input)
        return make_error(ErrorKind::no_input, "no_model",
                          "there is no model '" + name + "' (" + path.string() + ")",
                          "amoskys score train makes one; amoskys score models lists them");
    return text;
}

Result<> check_name(std::string_view name) {
    if (valid_agent_id(name))
        return {};
    return make_error(
        ErrorKind::usage, "model_name",
        "'" + printable(std::string(name)) +
            "' cannot be the name of a model: 1 to 64 characters of A-Z a-z 0-9 . _ -");
}

}  // namespace

Versions versions_of(const std::filesystem::path& folder, const std::string& name) {
    Versions out;
    std::error_code failed;  // no folder: no versions
    for (std::filesystem::directory_iterator at(folder / "versions" / name, failed), end;
         !failed && at != end; at.increment(failed)) {
        const std::string stem = at->path().stem().string();
        std::uint64_t version = 0;
        const char* const last = stem.data() + stem.size();
        const auto read = std::from_chars(stem.data(), last, version);
        if (at->path().extension() == ".model" && read.ec == std::errc() && read.ptr == last)
            out.kept.push_back(version);
    }
    std::sort(out.kept.begin(), out.kept.end());
    const auto active = read_file(model_path(folder, name), most_model_bytes);
    for (auto at = out.kept.rbegin(); active && at != out.kept.rend() && out.active == 0; ++at)
        if (const auto kept = read_file(version_path(folder, name, *at), most_model_bytes);
            kept && *kept == *active)
            out.active = *at;
    return out;
}

Result<> save_model(const std::filesystem::path& folder, const TrainedModel& model) {
    AMOSKYS_TRY_VOID(check_name(model.name));
    AMOSKYS_TRY_VOID(make_directories(folder / "versions" / model.name, folder_mode));
    const Versions versions = versions_of(folder, model.name);
    const std::uint64_t next = versions.kept.empty() ? 1 : versions.kept.back() + 1;
    const std::string file = encode_model(model);
    AMOSKYS_TRY_VOID(write_file_atomic(version_path(folder, model.name, next), file, file_mode));
    AMOSKYS_TRY_VOID(write_file_atomic(model_path(folder, model.name), file, file_mode));
    std::error_code failed;  // an old version that stays does no harm
    for (std::size_t i = 0; i + versions_kept <= versions.kept.size(); ++i)
        std::filesystem::remove(version_path(folder, model.name, versions.kept[i]), failed);
    return {};
}

Result<TrainedModel> load_model(std::span<const NamedKind> kinds,
                                const std::filesystem::path& folder, std::string_view name) {
    AMOSKYS_TRY_VOID(check_name(name));
    const auto path = model_path(folder, name);
    AMOSKYS_TRY(text, read_model(path, std::string(name)));
    return decode_model(kinds, as_bytes(text), "model file " + path.string());
}

Result<TrainedModel> activate(std::span<const NamedKind> kinds, const std::filesystem::path& folder,
                              const std::string& name, std::uint64_t version) {
    AMOSKYS_TRY_VOID(check_name(name));
    const auto path = version_path(folder, name, version);
    AMOSKYS_TRY(text, read_model(path, name));
    AMOSKYS_TRY(model, decode_model(kinds, as_bytes(text), "model file " + path.string()));
    AMOSKYS_TRY_VOID(write_file_atomic(model_path(folder, name), text, file_mode));
    return model;
}

std::vector<std::string> list_models(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    std::error_code failed;  // no folder: no models
    for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end;
         at.increment(failed))
        if (at->path().extension() == ".model" && valid_agent_id(at->path().stem().string()))
            names.push_back(at->path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace amoskys::score
