#include "modules/collectors/replay/decoder.h"

#include <catch2/catch.hpp>
#include <cstring>

using namespace amoskys;
using namespace amoskys::replay;

namespace {

struct OwnValue {
    std::string metric, type, unit, index;
    std::variant<double, std::uint64_t, std::string, bool> value;
};
struct OwnRow {
    std::string device;
    UnixNanos time_ns = 0;
    std::vector<OwnValue> values;
};

// All rows of a text that comes in pieces of `piece` bytes.
Result<std::vector<OwnRow>> rows_of(std::string_view text, std::size_t piece = 1 << 20,
                                    std::uint64_t* skipped = nullptr,
                                    TimeUnit unit = TimeUnit::by_column) {
    FileDecoder decoder("f.csv", Format::detect, unit);
    std::vector<OwnRow> rows;
    Row row;
    for (bool more = true; more;) {
        const auto [room, size] = decoder.room();
        const std::size_t count = std::min({piece, size, text.size()});
        std::memcpy(room, text.data(), count);
        text.remove_prefix(count);
        more = count > 0;
        AMOSKYS_TRY_VOID(decoder.take(count));
        while (true) {
            AMOSKYS_TRY(found, decoder.next(row));
            if (!found)
                break;
            OwnRow own{std::string(row.device), row.time_ns, {}};
            for (const auto& value : row.values) {
                OwnValue copy{std::string(value.metric), std::string(value.type),
                              std::string(value.unit), std::string(value.index), 0.0};
                std::visit(
                    [&copy](const auto& v) {
                        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string_view>)
                            copy.value = std::string(v);
                        else
                            copy.value = v;
                    },
                    value.value);
                own.values.push_back(std::move(copy));
            }
            rows.push_back(std::move(own));
        }
    }
    if (skipped != nullptr)
        *skipped = decoder.skipped();
    return rows;
}

std::string error_of(std::string_view text) {
    const auto rows = rows_of(text);
    return rows ? "no error" : rows.error().message;
}

const std::string event_line =
    R"({"schema":"amoskys.event/1","device":"sw1","time":"2026-11-21T01:02:03.000000004Z","source":"snmp",)"
    R"("kind":"metric","severity":"INFO","metric":"ifHCInOctets","type":"COUNTER","value":"18446744073709551615",)"
    R"("unit":"bytes","index":"2","labels":{"ifName":"eth0"}})";

}  // namespace

TEST_CASE("wide CSV gives one value for each cell that is not empty") {
    const auto rows = rows_of(
        "device_id,ts_ns,cpu,mem\nd1,1730000000000000000,1.5,\r\nd2,1730000001000000000,,-2e3\n");
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 2);
    CHECK((*rows)[0].device == "d1");
    CHECK((*rows)[0].time_ns == 1730000000000000000);
    REQUIRE((*rows)[0].values.size() == 1);
    CHECK((*rows)[0].values[0].metric == "cpu");
    CHECK((*rows)[0].values[0].type == "GAUGE");
    CHECK(std::get<double>((*rows)[0].values[0].value) == 1.5);
    CHECK((*rows)[1].values[0].metric == "mem");
    CHECK(std::get<double>((*rows)[1].values[0].value) == -2000);
}

TEST_CASE("long CSV takes unit, type and index, and texts where the type says so") {
    const auto rows = rows_of(
        "time,device,metric,value,unit,type,index\n"
        "2026-11-21T00:00:00Z,d,ifInOctets,18446744073709551615,bytes,counter,2\n"
        "1763683200,d,sysDescr,\"a \"\"quoted\"\", text\",,TEXT,\n"
        "1763683200,d,gone,,,,\n");
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 2);
    const auto& counter = (*rows)[0].values[0];
    CHECK(counter.type == "COUNTER");
    CHECK(counter.unit == "bytes");
    CHECK(counter.index == "2");
    CHECK(std::get<std::uint64_t>(counter.value) == UINT64_MAX);
    CHECK(std::get<std::string>((*rows)[1].values[0].value) == "a \"quoted\", text");
    CHECK((*rows)[1].time_ns == 1763683200'000000000);
}

TEST_CASE("quoted cells may hold commas, quotes and newlines") {
    const auto rows = rows_of("\"device\",time,\"a,b\"\n\"d\"\"x\",1763683200,\"5\"\n");
    REQUIRE(rows.has_value());
    CHECK((*rows)[0].device == "d\"x");
    CHECK((*rows)[0].values[0].metric == "a,b");
    const auto text = rows_of(
        "device,time,metric,value,type\nd,1763683200,m,\"two\nlines\",text\nd,1763683201,n,1,\n");
    REQUIRE(text.has_value());
    CHECK(std::get<std::string>((*text)[0].values[0].value) == "two\nlines");
    CHECK((*text)[1].values[0].metric == "n");
}

TEST_CASE("NDJSON is told by its first character, wide and long") {
    const auto rows = rows_of(
        "{\"device_id\":\"d\",\"ts_ns\":\"1730000000000000000\",\"cpu\":1.5,\"gone\":null,\"up\":"
        "true,\"os\":\"x\"}\n\n"
        "{\"device\":\"d\",\"time\":1730000000,\"metric\":\"m\",\"value\":9007199254740993,"
        "\"type\":\"COUNTER\"}\n");
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 2);
    REQUIRE((*rows)[0].values.size() == 3);
    CHECK(std::get<bool>((*rows)[0].values[1].value));
    CHECK(std::get<std::string>((*rows)[0].values[2].value) == "x");
    CHECK(std::get<std::uint64_t>((*rows)[1].values[0].value) == 9007199254740993);
}

TEST_CASE("our own events are taken, and those that are no metrics are counted") {
    std::uint64_t skipped = 0;
    const auto rows = rows_of(
        event_line + "\n{\"schema\":\"amoskys.event/1\",\"kind\":\"process\"}\n", 7, &skipped);
    REQUIRE(rows.has_value());
    REQUIRE(rows->size() == 1);
    CHECK((*rows)[0].device == "sw1");
    CHECK((*rows)[0].values[0].index == "2");
    CHECK(std::get<std::uint64_t>((*rows)[0].values[0].value) == UINT64_MAX);
    CHECK(skipped == 1);
    const auto csv = rows_of(
        "device,time,source,kind,severity,metric,type,value,unit,index\n"
        "d,2026-11-21T00:00:00Z,snmp,metric,INFO,sysDescr,GAUGE,Linux,,\nd,2026-11-21T00:00:00Z,x,"
        "log,INFO,,,,,\n",
        9, &skipped);
    REQUIRE(csv.has_value());
    CHECK(std::get<std::string>((*csv)[0].values[0].value) == "Linux");
    CHECK(skipped == 1);
}

TEST_CASE("the size of the pieces changes nothing") {
    const std::string text =
        "\xef\xbb\xbf"
        "device,time,metric,value,type\r\nd,1763683200,m,\"a\n\"\"b\",text\r\nd,1763683201,n,1,";
    const auto whole = rows_of(text);
    REQUIRE(whole.has_value());
    REQUIRE(whole->size() == 2);
    for (std::size_t piece = 1; piece < 12; ++piece) {
        const auto rows = rows_of(text, piece);
        REQUIRE(rows.has_value());
        REQUIRE(rows->size() == 2);
        CHECK(std::get<std::string>((*rows)[0].values[0].value) == "a\n\"b");
    }
}

TEST_CASE("every fault names file, line and column") {
    const std::string head = "device_id,ts_ns,cpu\n";
    const std::pair<std::string, std::string> cases[] = {
        {"", "f.csv:1:1: the file is empty"},
        {"cpu,mem\n", "f.csv:1:1: the header needs one column device_id"},
        {"device_id,cpu\n", "f.csv:1:1: the header needs one column ts_ns"},
        {"device_id,ts_ns\n", "f.csv:1:1: the header names no metric"},
        {"device_id,ts_ns,a,a\n", "f.csv:1:19: column \"a\" stands twice"},
        {"device_id,ts_ns,\n", "f.csv:1:17: the name of a column is empty"},
        {"device,time,metric,value,unitt\n", "did you mean unit?"},
        {head + "d,1\n", "f.csv:2:4: 2 cells where the header has 3"},
        {head + "d,1,2,3\n", "f.csv:2:8: 4 cells where the header has 3"},
        {head + "d,1730000000000000000,1\nd,x,1\n",
         "f.csv:3:3: time \"x\" is not Unix nanoseconds"},
        {head + "d,0,1\n", "f.csv:2:3: time is 0"},
        {head + ",1730000000000000000,1\n", "f.csv:2:1: the device is empty"},
        {head + "d\x01,1730000000000000000,1\n",
         "f.csv:2:1: the device \"d\\x01\" is not printable"},
        {head + "d,1730000000000000000,nan\n", "f.csv:2:23: value \"nan\" is not finite"},
        {head + "d,1730000000000000000,-inf\n", "f.csv:2:23: value \"-inf\" is not finite"},
        {head + "d,1730000000000000000,1e999\n", "f.csv:2:23: value \"1e999\" does not fit"},
        {head + "d,1730000000000000000,0x10\n", "f.csv:2:23: value \"0x10\" is not a number"},
        {head + "d,1730000000000000000, 1\n", "f.csv:2:23: value \" 1\" is not a number"},
        {head + "d,1730000000000000000,abc\n", "f.csv:2:23: value \"abc\" is not a number"},
        {head + "d,1730000000000000000,\"1\"x\n", "f.csv:2:26: text after a closing quote"},
        {head + "d,1730000000000000000,1\"\n",
         "f.csv:2:1: a quote that opens in this record is not closed"},
        {head + "d,1730000000000000000,\"1\n", "is not closed"},
        {"device,time,cpu\nd,-15m,1\n", "f.csv:2:3: time \"-15m\" is relative"},
        {"device,time,cpu\nd,tomorrow,1\n", "f.csv:2:3: time \"tomorrow\" is neither"},
        {"device,time,metric,value,type\nd,1763683200,m,1,guage\n",
         "f.csv:2:18: type \"guage\" is not one of"},
        {"device,time,metric,value\nd,1763683200,m,text\n",
         "f.csv:2:16: value \"text\" is not a number"},
        {"\xff\xfe"
         "d\0e\0",
         "UTF-16"},
        {"{\"device\":\"d\"\n", "f.csv:1:1: "},
        {"{\"device\":\"d\",\"time\":\"x\",\"a\":1}\n", "f.csv:1:1: time \"x\" is neither"},
        {"{\"device\":\"d\",\"time\":1730000000,\"a\":1}\n\n"
         "{\"device\":\"d\",\"time\":1730000000,\"a\":[1]}\n",
         "f.csv:3:1: the value of a"},
        {head + "d,1730000000,1\n",
         "f.csv:2:3: time \"1730000000\" would be 1970-01-01T00:00:01.730000000Z, before the year"},
        {"device,time,cpu\nd,17,1\n", "f.csv:2:3: time \"17\" would be 1970-01-01T00:00:17"},
        {"{\"device\":1,\"ts_ns\":1,\"a\":1}\n", "f.csv:1:1: the row has no text device_id"},
        {"{\"schema\":\"amoskys.summary/1\"}\n",
         "f.csv:1:1: schema \"amoskys.summary/1\" cannot be replayed"},
    };
    for (const auto& [text, message] : cases) {
        CAPTURE(text);
        const auto found = error_of(text);
        CAPTURE(found);
        CHECK(found.find(message) != std::string::npos);
    }
}

TEST_CASE("a time of another unit is named, and taken where the unit is said") {
    const auto with_unit = [](const std::string& text, TimeUnit unit) {
        return rows_of(text, 1 << 20, nullptr, unit);
    };
    const auto one = [](const std::string& time) { return "device,ts_ns,a\nd," + time + ",1\n"; };
    for (const auto& [time, hint] :
         {std::pair{"1730000000", "--time-unit s"}, std::pair{"1730000000123", "--time-unit ms"},
          std::pair{"1730000000123456", "--time-unit us"},
          std::pair{"17", "--time-unit s, ms, us or ns takes it as it is"}}) {
        CAPTURE(time);
        const auto refused = rows_of(one(time));
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().hint.find(hint) != std::string::npos);
    }
    const auto time_of = [&](const std::string& time, TimeUnit unit) -> UnixNanos {
        const auto rows = with_unit(one(time), unit);
        return rows && rows->size() == 1 ? (*rows)[0].time_ns : 0;
    };
    CHECK(time_of("1730000000", TimeUnit::s) == 1'730'000'000'000'000'000);
    CHECK(time_of("1730000000.25", TimeUnit::s) == 1'730'000'000'250'000'000);
    CHECK(time_of("1730000000.1234567891", TimeUnit::s) == 1'730'000'000'123'456'789);
    CHECK(time_of("1730000000123", TimeUnit::ms) == 1'730'000'000'123'000'000);
    CHECK(time_of("1730000000123456", TimeUnit::us) == 1'730'000'000'123'456'000);
    CHECK(time_of("17", TimeUnit::ns) == 17);
    const auto ndjson = with_unit("{\"device\":\"d\",\"time\":1730000000.5,\"a\":1}", TimeUnit::s);
    REQUIRE(ndjson.has_value());
    CHECK((*ndjson)[0].time_ns == 1'730'000'000'500'000'000);
    const auto date = with_unit("device,time,a\nd,2026-11-21T00:00:00Z,1\n", TimeUnit::ms);
    CHECK(date.has_value());  // has its unit
    for (const char* wrong : {"1730000000000000000", "-1", "1.", ".5", "1e9", ""}) {
        CAPTURE(wrong);
        CHECK_FALSE(with_unit(one(wrong), TimeUnit::s).has_value());
    }
    CHECK_FALSE(with_unit(one("1.5"), TimeUnit::ns).has_value());
}

TEST_CASE("a record without an end is refused before it fills the memory") {
    std::string text = "device,time,metric,value\nd,1763683200,m,\"";
    text += std::string(max_line_bytes + 10, 'x');
    CHECK(error_of(text + "\n").find("longer than") != std::string::npos);
}
