#include <catch2/catch.hpp>
#include <cerrno>

#include "core/json/output.h"

using namespace amoskys;
using Catch::Matchers::Contains;

namespace {

constexpr Column event_columns[] = {
    {"device"},
    {"value", "VALUE", true, true},
    {"labels"},
    {"raw", {}, false},
};
constexpr Noun event_noun{"event", event_columns};

const Json rows[] = {
    Json{{"device", "edge-1"},
         {"value", 12},
         {"labels", {{"core", "0"}, {"if", "eth0"}}},
         {"raw", "a,\"b\"\n"}},
    Json{{"device", "r"}, {"value", 3.5}, {"labels", Json::object()}, {"raw", nullptr}},
};

std::string output_of(OutputFormat format, std::vector<std::string> fields = {},
                      std::span<const Json> objects = rows) {
    StringSink sink;
    const auto output = RowOutput::open(sink, {format, std::move(fields)}, event_noun);
    if (!output)
        return output.error().message;
    for (const Json& object : objects)
        CHECK((*output)->row(object));
    CHECK((*output)->finish().has_value());
    return sink.text;
}

// A reader that goes away, or a disk that is full, at the n-th write.
class FailingSink final : public ByteSink {
  public:
    FailingSink(int good_writes, int errno_value)
        : good_writes_(good_writes), errno_(errno_value) {}
    bool write(std::string_view) override {
        errno = errno_;
        return good_writes_-- > 0;
    }
    bool flush() override { return true; }

  private:
    int good_writes_;
    int errno_;
};

}  // namespace

TEST_CASE("json is one array whose objects begin with their schema") {
    CHECK(output_of(OutputFormat::json) ==
          "[\n"
          R"({"schema":"amoskys.event/1","device":"edge-1","value":12,)"
          R"("labels":{"core":"0","if":"eth0"},"raw":"a,\"b\"\n"})"
          ",\n"
          R"({"schema":"amoskys.event/1","device":"r","value":3.5,"labels":{},"raw":null})"
          "\n]\n");
    CHECK(output_of(OutputFormat::json, {}, {}) == "[]\n");
}

TEST_CASE("ndjson is one object a line, with the chosen fields in their order") {
    CHECK(output_of(OutputFormat::ndjson, {"value", "labels.core"}) ==
          R"({"schema":"amoskys.event/1","value":12,"labels":{"core":"0"}})"
          "\n"
          R"({"schema":"amoskys.event/1","value":3.5})"
          "\n");
    CHECK(output_of(OutputFormat::ndjson, {}, {}).empty());
}

TEST_CASE("csv follows RFC 4180, nested values are compact JSON") {
    CHECK(output_of(OutputFormat::csv) ==
          "device,value,labels,raw\r\n"
          "edge-1,12,\"{\"\"core\"\":\"\"0\"\",\"\"if\"\":\"\"eth0\"\"}\",\"a,\"\"b\"\"\n\"\r\n"
          "r,3.5,{},\r\n");
    CHECK(output_of(OutputFormat::csv, {"labels.if", "device"}) ==
          "labels.if,device\r\neth0,edge-1\r\n,r\r\n");
    CHECK(output_of(OutputFormat::csv, {}, {}) == "device,value,labels,raw\r\n");
}

TEST_CASE("a table aligns its columns and writes nested values as k=v") {
    CHECK(output_of(OutputFormat::table) ==
          "DEVICE  VALUE  LABELS\n"
          "edge-1     12  core=0 if=eth0\n"
          "r         3.5  -\n");
    CHECK(output_of(OutputFormat::table, {"raw", "device"}) ==
          "RAW        DEVICE\n"
          "a,\"b\"\\x0a  edge-1\n"
          "-          r\n");
    CHECK(output_of(OutputFormat::table, {}, {}) == "DEVICE  VALUE  LABELS\n");
}

TEST_CASE("a text made of the whole object is the table's, and others' where it is asked for") {
    static constexpr Column columns[] = {
        {"device"},
        {"what",
         {},
         true,
         false,
         [](const Json& object) { return object["device"].get<std::string>() + "!"; }},
    };
    static constexpr Noun noun{"event", columns};
    const auto written = [&](OutputFormat format, std::vector<std::string> fields) {
        StringSink sink;
        const auto output = RowOutput::open(sink, {format, std::move(fields)}, noun);
        REQUIRE(output.has_value());
        CHECK((*output)->row(Json{{"device", "r"}}));
        CHECK((*output)->finish().has_value());
        return sink.text;
    };
    CHECK(written(OutputFormat::table, {}) == "DEVICE  WHAT\nr       r!\n");
    CHECK(written(OutputFormat::table, {"what"}) == "WHAT\nr!\n");
    CHECK(written(OutputFormat::csv, {}) == "device\r\nr\r\n");
    CHECK(written(OutputFormat::csv, {"what"}) == "what\r\nr!\r\n");
    CHECK(written(OutputFormat::ndjson, {}) ==
          "{\"schema\":\"amoskys.event/1\",\"device\":\"r\"}\n");
    CHECK(written(OutputFormat::ndjson, {"what"}) ==
          "{\"schema\":\"amoskys.event/1\",\"what\":\"r!\"}\n");
}

TEST_CASE("a table of more than 1,000 rows streams with the widths that it has found") {
    std::vector<Json> many(1500, Json{{"device", "d"}, {"value", 1}});
    many.push_back(Json{{"device", "a-longer-name"}, {"value", 2}});
    const auto text = output_of(OutputFormat::table, {"device", "value"}, many);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1502);
    CHECK_THAT(text, Catch::Matchers::EndsWith("a-longer-name      2\n"));
}

TEST_CASE("a device's text cannot move the cursor in a table") {
    const Json hostile[] = {Json{{"device", "\x1b[2J\r\n"}, {"labels", {{"\x1b", "\x07"}}}}};
    const auto text = output_of(OutputFormat::table, {"device", "labels"}, hostile);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\r') == std::string::npos);
    CHECK(text.find('\x07') == std::string::npos);
}

TEST_CASE("yaml is a sequence of objects") {
    CHECK(output_of(OutputFormat::yaml, {"device", "labels"}) ==
          "- schema: amoskys.event/1\n"
          "  device: edge-1\n"
          "  labels:\n"
          "    core: \"0\"\n"
          "    if: eth0\n"
          "- schema: amoskys.event/1\n"
          "  device: r\n"
          "  labels: {}\n");
    CHECK(output_of(OutputFormat::yaml, {}, {}) == "[]\n");
}

TEST_CASE("an unknown field or format names the nearest one") {
    StringSink sink;
    const auto output = RowOutput::open(sink, {OutputFormat::json, {"devise"}}, event_noun);
    REQUIRE_FALSE(output.has_value());
    CHECK((output.error().kind == ErrorKind::usage));
    CHECK(output.error().hint == "did you mean device?");
    CHECK_THAT(output.error().message, Contains("device, value, labels, raw"));
    CHECK(sink.text.empty());
    const auto format = parse_output_format("yml");
    REQUIRE_FALSE(format.has_value());
    CHECK(format.error().hint == "did you mean yaml?");
    CHECK((*parse_output_format("ndjson") == OutputFormat::ndjson));
}

TEST_CASE("a reader that has gone ends the output quietly, a full disk does not") {
    FailingSink gone(1, EPIPE);
    const auto quiet = RowOutput::open(gone, {OutputFormat::ndjson}, event_noun);
    REQUIRE(quiet.has_value());
    CHECK((*quiet)->row(rows[0]));
    CHECK_FALSE((*quiet)->row(rows[1]));
    CHECK((*quiet)->finish().has_value());

    FailingSink full(0, ENOSPC);
    const auto loud = RowOutput::open(full, {OutputFormat::ndjson}, event_noun);
    REQUIRE(loud.has_value());
    CHECK_FALSE((*loud)->row(rows[0]));
    const auto finished = (*loud)->finish();
    REQUIRE_FALSE(finished.has_value());
    CHECK(finished.error().code == "output_write");
}

TEST_CASE("one object is written in every format") {
    const Json object{{"envelopes", 5},
                      {"rate", {{"mean", 1.5}}},
                      {"names", {"a", "b"}},
                      {"top", Json::array({Json{{"k", 1}}})}};
    const auto text_of = [&](OutputFormat format, std::vector<std::string> fields = {}) {
        StringSink sink;
        const auto done = write_object(sink, {format, std::move(fields)}, "summary", object);
        return done ? sink.text : done.error().message;
    };
    CHECK(text_of(OutputFormat::table) ==
          "envelopes: 5\n"
          "rate:\n"
          "  mean: 1.5\n"
          "names:     a,b\n"
          "top:\n"
          "  k=1\n");
    CHECK(text_of(OutputFormat::ndjson, {"rate.mean"}) ==
          R"({"schema":"amoskys.summary/1","rate":{"mean":1.5}})"
          "\n");
    CHECK_THAT(text_of(OutputFormat::json), Contains("\"schema\": \"amoskys.summary/1\",\n"));
    CHECK(text_of(OutputFormat::csv, {"envelopes", "rate"}) == "envelopes,rate.mean\r\n5,1.5\r\n");
    CHECK_THAT(text_of(OutputFormat::yaml), Contains("schema: amoskys.summary/1\nenvelopes: 5\n"));
    CHECK_THAT(text_of(OutputFormat::json, {"envelope"}), Contains("'envelope' is not a field"));
}

TEST_CASE("an error is one JSON object with its exit code") {
    CHECK(error_json(make_error(ErrorKind::config, "config_unknown_key", "a\nb", "c")) ==
          R"({"schema":"amoskys.error/1","code":"config_unknown_key","message":"a\nb","hint":"c",)"
          R"("exit":78})");
}
