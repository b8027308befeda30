#include "core/wire/statement.h"

#include <array>

#include "core/crypto/hash.h"

namespace amoskys::wire {
namespace {

constexpr std::size_t time_bytes = 8;

template <class Message>
Digest body_digest(Message message) {
    message.clear_sig();
    const std::string body = message.SerializeAsString();
    return crypto::sha256(as_bytes(body));
}

template <class Message>
void sign_as(Message& message, const crypto::SigningKey& key, std::string_view tag) {
    message.set_sig(to_string(key.sign_digest(tag, body_digest(message))));
}

}  // namespace

void sign(amoskys::bus::Receipt& receipt, const crypto::SigningKey& log_key) {
    sign_as(receipt, log_key, crypto::receipt_tag);
}

void sign(amoskys::bus::Head& head, const crypto::SigningKey& agent_key) {
    sign_as(head, agent_key, crypto::head_tag);
}

bool signature_fits(const amoskys::bus::Receipt& receipt, const PublicKey& log_key) {
    return crypto::verify_digest(log_key, crypto::receipt_tag, body_digest(receipt),
                                 as_bytes(receipt.sig()));
}

bool signature_fits(const amoskys::bus::Head& head, const PublicKey& agent_key) {
    return crypto::verify_digest(agent_key, crypto::head_tag, body_digest(head),
                                 as_bytes(head.sig()));
}

std::string kept_head_key(const LaneKey& lane) {
    return std::string(kept_head_prefix) + lane.agent_id + "/" + lane.lane;
}

std::string encode_kept_head(const KeptHead& kept) {
    std::array<std::uint8_t, time_bytes> time{};
    store_be64(time.data(), kept.received_ns);
    return to_string(time) + kept.head.SerializeAsString();
}

Result<KeptHead> decode_kept_head(std::string_view bytes) {
    KeptHead out;
    if (bytes.size() < time_bytes ||
        !out.head.ParseFromArray(bytes.data() + time_bytes,
                                 static_cast<int>(bytes.size() - time_bytes)))
        return make_error(ErrorKind::bad_data, "state_damaged",
                          "kept head is damaged (" + std::to_string(bytes.size()) + " bytes)");
    out.received_ns = load_be64(as_bytes(bytes).data());
    return out;
}

}  // namespace amoskys::wire
