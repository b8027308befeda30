// The vectors of the specification: 23 tuples, with seed 0, with seed 1, and as hexadecimal.
#include "modules/collectors/flow/community_id.h"

#include <arpa/inet.h>

#include "core/json/json.h"
#include "modules/collectors/flow/test/trace_run.h"

using namespace amoskys;
using namespace amoskys::flow;

namespace {

Address parse(const std::string& text, unsigned& version) {
    std::uint8_t bytes[16];
    if (::inet_pton(AF_INET, text.c_str(), bytes) == 1) {
        version = 4;
        return address_v4(bytes);
    }
    REQUIRE(::inet_pton(AF_INET6, text.c_str(), bytes) == 1);
    version = 6;
    return address_v6(bytes);
}

// A frame with that packet, through the decoder: its key is what the flow table has.
FlowKey key_of(unsigned protocol, const std::string& source, const std::string& destination,
               unsigned source_port, unsigned destination_port) {
    unsigned version = 0;
    const Address from = parse(source, version), to = parse(destination, version);
    std::vector<std::uint8_t> packet;
    const auto put16 = [&](unsigned value) {
        packet.push_back(static_cast<std::uint8_t>(value >> 8U));
        packet.push_back(static_cast<std::uint8_t>(value & 0xffU));
    };
    constexpr unsigned payload = 20;
    if (version == 4) {
        for (const unsigned word : {0x4500U, 20 + payload, 0U, 0U, 0x4000U + protocol, 0U})
            put16(word);
        packet.insert(packet.end(), from.bytes.begin() + 12, from.bytes.end());
        packet.insert(packet.end(), to.bytes.begin() + 12, to.bytes.end());
    } else {
        for (const unsigned word : {0x6000U, 0U, payload, (protocol << 8U) + 64})
            put16(word);
        packet.insert(packet.end(), from.bytes.begin(), from.bytes.end());
        packet.insert(packet.end(), to.bytes.begin(), to.bytes.end());
    }
    if (protocol == protocol_icmp || protocol == protocol_icmp6)
        put16((source_port << 8U) + destination_port);
    else {
        put16(source_port);
        put16(destination_port);
    }
    packet.resize(packet.size() + payload - (packet.size() - (version == 4 ? 20 : 40)));
    const std::size_t transport = version == 4 ? 20 : 40;
    packet[transport + 12] = protocol == protocol_tcp ? 0x50 : packet[transport + 12];
    Decoded decoded;
    Decoder(false).decode(packet, static_cast<std::uint32_t>(packet.size()), LinkType::raw,
                          decoded);
    REQUIRE(decoded.count == 1);
    return decoded.packets[0].key;
}

void check_file(const char* name, std::uint16_t seed, bool hexadecimal) {
    const std::filesystem::path path =
        std::filesystem::path(AMOSKYS_SHARED_DATA) / "pcap/community-id/baseline" / name;
    if (!have_traces(path))
        return;
    const auto text = read_file(path, 1 << 20);
    REQUIRE(text.has_value());
    const auto vectors = Json::parse(*text);
    REQUIRE(vectors.size() == 23);
    for (const auto& vector : vectors) {
        // null where the protocol has no ports
        const auto port = [&](const char* field) {
            return vector[field].is_number() ? vector[field].get<unsigned>() : 0U;
        };
        const FlowKey key =
            key_of(vector["proto"].get<unsigned>(), vector["saddr"].get<std::string>(),
                   vector["daddr"].get<std::string>(), port("sport"), port("dport"));
        std::string ours = community_id(key, seed);
        if (hexadecimal) {
            Bytes digest;
            REQUIRE(from_base64(ours.substr(2), digest));
            ours = "1:" + to_hex(digest);
        }
        CHECK(ours == vector["communityid"].get<std::string>());
    }
}

}  // namespace

TEST_CASE("a Community ID of the specification's first table") {
    CHECK(community_id(key_of(6, "1.2.3.4", "5.6.7.8", 1122, 3344), 0) ==
          "1:wCb3OG7yAFWelaUydu0D+125CLM=");
    CHECK(community_id(key_of(6, "5.6.7.8", "1.2.3.4", 3344, 1122), 0) ==
          "1:wCb3OG7yAFWelaUydu0D+125CLM=");
    CHECK(community_id(key_of(1, "1.2.3.4", "5.6.7.8", 11, 0), 0) ==
          "1:f/YiSyWqczrTgfUCZlBUnvHRcPk=");
}

TEST_CASE("all Community ID vectors hold") {
    check_file("baseline_deflt.json", 0, false);
    check_file("baseline_seed1.json", 1, false);
    check_file("baseline_nob64.json", 0, true);
}
