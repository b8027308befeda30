#include "core/wal/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "core/base/text.h"
#include "core/crypto/hash.h"

namespace amoskys::wal {

namespace {

constexpr std::string_view signature_begin = "\xe2\x80\x94 ";  // an em dash and a space
constexpr std::string_view time_begin = "time ";
constexpr std::size_t key_hash_bytes = 4;

Error form_error(const std::string& what) {
    return make_error(ErrorKind::bad_data, "checkpoint_form", "not a checkpoint: " + what);
}

bool name_allowed(std::string_view name) {
    return !name.empty() && valid_utf8(name) &&
           name.find_first_of(" \t\r\n\f\v+") == std::string_view::npos;
}

Bytes key_hash(std::string_view name, const PublicKey& key) {
    constexpr std::uint8_t ed25519[] = {0x0a, 0x01};
    const Digest hash = crypto::sha256({as_bytes(name), ed25519, key});
    return {hash.begin(), hash.begin() + key_hash_bytes};
}

std::string body_of(const Checkpoint& checkpoint) {
    std::string out = checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" +
                      to_base64(checkpoint.root) + "\n";
    if (checkpoint.time_ns != 0)
        out += std::string(time_begin) + format_time(checkpoint.time_ns) + "\n";
    return out;
}

Result<std::uint64_t> parse_tree_size(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (failed != std::errc() || end != text.data() + text.size() ||
        text != std::to_string(out))  // no leading zeros: one text for one number
        return form_error("its tree size is '" + excerpt(text) + "'");
    return out;
}

Result<Checkpoint> parse_body(std::string_view body) {
    const auto lines = split(body.substr(0, body.size() - 1), '\n');
    if (lines.size() < 3)
        return form_error("it has " + std::to_string(lines.size()) +
                          " lines before the empty one, at least 3 are needed");
    if (std::ranges::any_of(lines, [](std::string_view line) { return line.empty(); }))
        return form_error("a line of its text is empty");
    Checkpoint out;
    if (!name_allowed(lines[0]))
        return form_error("its origin is '" + excerpt(lines[0]) + "'");
    out.origin = lines[0];
    AMOSKYS_TRY(size, parse_tree_size(lines[1]));
    out.size = size;
    Bytes root;
    if (!from_base64(lines[2], root) || root.size() != out.root.size())
        return form_error("its root is not the base64 of 32 bytes");
    std::ranges::copy(root, out.root.begin());
    for (std::size_t at = 3; at < lines.size(); ++at) {
        if (!lines[at].starts_with(time_begin))
            continue;
        const std::string_view text = lines[at].substr(time_begin.size());
        const auto time = parse_time(text, 0);
        if (!time || out.time_ns != 0 || format_time(*time) != text)
            return form_error("its time is '" + excerpt(text) + "'");
        out.time_ns = *time;
    }
    return out;
}

// Whether `line` is `key`'s signature of `body`; others' signatures are nobody's business here.
Result<bool> is_signed(std::string_view line, std::string_view body, std::string_view name,
                       const PublicKey& key) {
    if (!line.starts_with(signature_begin))
        return form_error("a signature line begins with '" + excerpt(line) + "'");
    line.remove_prefix(signature_begin.size());
    const std::size_t space = line.find(' ');
    Bytes raw;
    if (space == std::string_view::npos || !name_allowed(line.substr(0, space)) ||
        !from_base64(line.substr(space + 1), raw) || raw.size() <= key_hash_bytes)
        return form_error("a signature line is '" + excerpt(line) + "'");
    const Bytes wanted = key_hash(name, key);
    if (line.substr(0, space) != name || !std::equal(wanted.begin(), wanted.end(), raw.begin()))
        return false;
    return crypto::verify_bytes(key, as_bytes(body), ByteView(raw).subspan(key_hash_bytes));
}

}  // namespace

std::string sign_checkpoint(const Checkpoint& checkpoint, const crypto::SigningKey& key) {
    std::string out = body_of(checkpoint);
    Bytes line = key_hash(checkpoint.origin, key.public_key());
    const Signature signature = key.sign_bytes(as_bytes(out));
    line.insert(line.end(), signature.begin(), signature.end());
    out += "\n" + std::string(signature_begin) + checkpoint.origin + " " + to_base64(line) + "\n";
    return out;
}

Result<Checkpoint> open_checkpoint(std::string_view note, const PublicKey& key) {
    if (note.size() > checkpoint_bytes_max)
        return form_error("it is longer than " + std::to_string(checkpoint_bytes_max) + " bytes");
    const std::size_t gap = note.rfind("\n\n");
    if (gap == std::string_view::npos || !note.ends_with('\n') || gap + 2 == note.size())
        return form_error("it has no signature after an empty line");
    const std::string_view body = note.substr(0, gap + 1);
    AMOSKYS_TRY(out, parse_body(body));
    bool found = false;
    const std::string_view signatures = note.substr(gap + 2, note.size() - gap - 3);
    for (const std::string_view line : split(signatures, '\n')) {
        AMOSKYS_TRY(good, is_signed(line, body, out.origin, key));
        found = found || good;
    }
    if (!found)
        return make_error(ErrorKind::bad_data, "checkpoint_signature",
                          "the checkpoint of '" + printable(out.origin) +
                              "' is not signed by the log key " + crypto::key_id(key));
    return out;
}

}  // namespace amoskys::wal
