#include "modules/collectors/snmp/message.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

Value back(const Value& value) {
    BerWriter out;
    out.value(value);
    const Bytes octets = out.take();
    const auto item = BerReader(octets).next();
    REQUIRE(item.has_value());
    auto read = ber_value(*item);
    REQUIRE(read.has_value());
    CHECK(read->type == value.type);
    return *read;
}

Bytes hex(std::string_view text) {
    Bytes out;
    REQUIRE(from_hex(text, out));
    return out;
}

}  // namespace

TEST_CASE("values of every type are written and read alike") {
    for (const std::int64_t number :
         {std::int64_t{0}, std::int64_t{127}, std::int64_t{128}, std::int64_t{-1},
          std::int64_t{-128}, std::int64_t{-129}, std::numeric_limits<std::int64_t>::max(),
          std::numeric_limits<std::int64_t>::min()})
        CHECK(std::get<std::int64_t>(back({Type::integer, number}).data) == number);
    for (const Type type : {Type::counter32, Type::gauge32, Type::time_ticks})
        for (const std::uint64_t number : {0ULL, 128ULL, 0x80000000ULL, 0xffffffffULL})
            CHECK(std::get<std::uint64_t>(back({type, number}).data) == number);
    CHECK(std::get<std::uint64_t>(back({Type::counter64, ~std::uint64_t{0}}).data) ==
          ~std::uint64_t{0});
    const Oid oid{1, 3, 6, 1, 4, 1, 8072, 4294967295U, 0, 127, 128};
    CHECK(std::get<Oid>(back({Type::oid, oid}).data) == oid);
    CHECK(std::get<Oid>(back({Type::oid, Oid{2, 999, 3}}).data) == Oid{2, 999, 3});
    const std::string long_text(1'000'000, '\x01');
    CHECK(std::get<std::string>(back({Type::octets, long_text}).data) == long_text);
    CHECK(std::get<double>(back({Type::real, 0.25}).data) == 0.25);
    for (const Type type :
         {Type::null, Type::no_such_object, Type::no_such_instance, Type::end_of_mib_view})
        CHECK_FALSE(has_value(back({type, {}})));
}

TEST_CASE("what agents send wrongly is read as they mean it") {
    // A Counter32 with its top bit and no leading zero: five octets are right, four are common.
    const Bytes negative = hex("ffffffff");
    CHECK(std::get<std::uint64_t>(ber_value({tag::counter32, negative})->data) == 0xffffffffU);
    const Bytes short_form = hex("c000");
    CHECK(std::get<std::uint64_t>(ber_value({tag::counter32, short_form})->data) == 0xc000U);
    // A float inside Opaque: net-snmp's laLoadFloat.
    const Bytes real = hex("9f78043f800000");
    CHECK(std::get<double>(ber_value({tag::opaque, real})->data) == 1.0);
    const Bytes other = hex("040131");
    CHECK(ber_value({tag::opaque, other})->type == Type::opaque);
}

TEST_CASE("a message is the octets that net-snmp sends") {
    // snmpget -v2c -c public HOST 1.3.6.1.2.1.1.5.0, as captured, with request id 1.
    CommunityMessage message;
    message.community = "public";
    message.pdu.request_id = 1;
    message.pdu.varbinds = {{Oid{1, 3, 6, 1, 2, 1, 1, 5, 0}, {}}};
    CHECK(to_hex(write_community_message(message)) ==
          "302602010104067075626c6963a019020101020100020100300e300c06082b060102010105000500");
}

TEST_CASE("malformed messages are refused, whole") {
    CommunityMessage message;
    message.community = "public";
    message.pdu.varbinds = {{Oid{1, 3, 6, 1, 2, 1, 1, 5, 0}, {Type::octets, std::string("x")}}};
    const Bytes good = write_community_message(message);
    REQUIRE(read_community_message(good).has_value());
    for (std::size_t length = 0; length < good.size(); ++length)
        CHECK_FALSE(read_community_message(ByteView(good).first(length)).has_value());
    for (const char* wrong : {"3080020101", "30840000000000", "3003020101", "0400", "ffff"}) {
        INFO(wrong);
        CHECK_FALSE(read_community_message(hex(wrong)).has_value());
    }
    CHECK_FALSE(ber_oid(hex("2b86")).has_value());            // ends within an arc
    CHECK_FALSE(ber_oid(hex("2b9fffffffff7f")).has_value());  // above 32 bits
    CHECK_FALSE(ber_oid(Bytes(200, 1)).has_value());          // above 128 arcs
    CHECK_FALSE(ber_integer(Bytes(9, 1)).has_value());
}

TEST_CASE("the length of a message is known from its first octets") {
    CHECK_FALSE(message_length(hex("30")).has_value());
    CHECK_FALSE(message_length(hex("308201")).has_value());
    CHECK(message_length(hex("30820100")) == 260U);
    CHECK(message_length(hex("3005")) == 7U);
    CHECK(message_length(hex("0405")) == 0U);
    CHECK(message_length(hex("3080")) == 0U);
}
