#include "modules/intelligence/rules/event_source.h"

#include "core/base/test/result_text.h"
#include "modules/intelligence/rules/engine.h"
#include "modules/intelligence/rules/rule_files.h"
#include "modules/intelligence/rules/test/made_events.h"
#include "modules/intelligence/rules/test/rule_cases.h"

using namespace amoskys;
using namespace amoskys::rules;

namespace {

const EventClass& class_of(const std::vector<EventClass>& all, std::string_view name) {
    for (const EventClass& each : all)
        if (each.name == name)
            return each;
    FAIL("no class " << name);
    return all[0];
}

std::vector<std::string> texts(const EventClass& kind, const MadeEvent& event,
                               std::string_view field) {
    TextSink sink;
    sink.clear();
    sink.begin_field();
    kind.read(event.view(), field, sink);
    sink.end();
    const auto found = sink.texts().of(0);
    return {found.begin(), found.end()};
}

std::unique_ptr<Engine> engine_of(const std::string& yaml) {
    auto engine = Engine::build(parse_rules(yaml, "t.yml"), embedded_mapping().value());
    REQUIRE(engine);
    return std::move(*engine);
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a process has the fields that rules for process creation ask for") {
    const auto mapping = embedded_mapping().value();
    const EventClass& kind = class_of(mapping, "process");
    MadeEvent event = made_process("box", 7200, "/usr/bin/x (deleted)", "");
    event.process->add_args("x");
    event.process->add_args("-v");
    event.process->set_pid(0);
    event.process->set_ppid(18446744073709551615ULL);
    event.process->set_parent_exe("/bin/sh");
    CHECK(texts(kind, event, "Image") == Texts{"/usr/bin/x"});
    CHECK(texts(kind, event, "CommandLine") == Texts{"x -v"});
    CHECK(texts(kind, event, "ProcessId") == Texts{"0"});
    CHECK(texts(kind, event, "ParentProcessId") == Texts{"18446744073709551615"});
    CHECK(texts(kind, event, "ParentImage") == Texts{"/bin/sh"});
    CHECK(texts(kind, event, "User").empty());
    CHECK(texts(kind, event, "EffectiveUserId").empty());
    CHECK(texts(kind, event, "device") == Texts{"box"});
    CHECK(texts(kind, event, "hour_utc") == Texts{"2"});
    CHECK_FALSE(kind.knows("Hashes"));
    CHECK(kind.takes(event.view()));
    event.process->set_kind("EXIT");
    CHECK_FALSE(kind.takes(event.view()));
    event.process->set_kind("SNAPSHOT");
    event.process->set_partial(true);
    CHECK_FALSE(kind.takes(event.view()));
}

TEST_CASE("a flow is looked at as connection, as DNS and as HTTP") {
    const auto mapping = embedded_mapping().value();
    MadeEvent event = made_flow("gw", 1, "10.0.0.1", "10.0.0.53", 53);
    CHECK_FALSE(class_of(mapping, "dns").takes(event.view()));
    event.flow->add_dns_names("a.example");
    event.flow->add_dns_names("b.example");
    event.flow->set_host("h.example");
    CHECK(class_of(mapping, "dns").takes(event.view()));
    CHECK(texts(class_of(mapping, "dns"), event, "query") == Texts{"a.example", "b.example"});
    CHECK(texts(class_of(mapping, "dns"), event, "id.resp_p") == Texts{"53"});
    CHECK(texts(class_of(mapping, "flow"), event, "DestinationHostname") == Texts{"h.example"});
    CHECK(texts(class_of(mapping, "flow"), event, "Initiated") == Texts{"true"});
    CHECK_FALSE(class_of(mapping, "http").takes(event.view()));
    event.flow->set_service("http");
    CHECK(class_of(mapping, "http").takes(event.view()));
}

TEST_CASE("of a log every structured field is known by its own name") {
    const auto mapping = embedded_mapping().value();
    const EventClass& kind = class_of(mapping, "log");
    MadeEvent event = made_log("box", 1, "auditd", "type=EXECVE");
    (*event.event->mutable_log_data()->mutable_fields())["a0"] = "chattr";
    (*event.event->mutable_attributes())["key"] = "k";
    CHECK(texts(kind, event, "a0") == Texts{"chattr"});
    CHECK(texts(kind, event, "key") == Texts{"k"});
    CHECK(texts(kind, event, "") == Texts{"type=EXECVE"});
    CHECK(texts(kind, event, "a9").empty());
    CHECK(kind.knows("anything"));
}

TEST_CASE("a rule of a service sees the logs of that program only") {
    auto engine = engine_of(
        "title: t\nlogsource: {product: linux, service: sshd}\n"
        "detection: {k: [bad], condition: k}\n");
    CHECK(engine->match(made_log("a", 1, "sshd", "a bad thing").view()).size() == 1);
    CHECK(engine->match(made_log("a", 1, "su", "a bad thing").view()).empty());
    auto zeek = engine_of(
        "title: t\nlogsource: {product: zeek, service: kerberos}\n"
        "detection: {s: {cipher: rc4}, condition: s}\n");
    MadeEvent event = made_log("a", 1, "zeek", "{}");
    auto& fields = *event.event->mutable_log_data()->mutable_fields();
    fields["cipher"] = "rc4";
    CHECK(zeek->match(event.view()).empty());
    fields["_path"] = "kerberos";
    CHECK(zeek->match(event.view()).size() == 1);
}

TEST_CASE("a rule that cannot work here is named with the reason") {
    auto windows = engine_of(
        "title: t\nlogsource: {product: windows, service: security}\n"
        "detection: {s: {EventID: 1}, condition: s}\n");
    CHECK(windows->placement(0).state == Placement::State::no_source);
    CHECK_THAT(windows->placement(0).reason, Catch::Contains("windows/security"));
    auto field = engine_of(
        "title: t\nlogsource: {product: linux, category: process_creation}\n"
        "detection: {s: {Image: x, Hashes: y}, condition: s}\n");
    CHECK(field->placement(0).state == Placement::State::partial);
    CHECK_THAT(field->placement(0).reason, Catch::Contains("no Hashes"));
    auto circle = engine_of(
        "title: t\nname: a\ncorrelation: {type: temporal, rules: [b], timespan: 5m}\n---\n"
        "title: t\nname: b\ncorrelation: {type: temporal, rules: [a], timespan: 5m}\n---\n"
        "title: t\nname: c\ncorrelation: {type: temporal, rules: [zz], timespan: 5m}\n");
    CHECK_THAT(circle->placement(0).reason, Catch::Contains("circle"));
    CHECK_THAT(circle->placement(2).reason, Catch::Contains("not there, or not usable: zz"));
}

TEST_CASE("of two rules with one id the later counts") {
    auto engine = engine_of(
        "title: old\nid: x\nlogsource: {product: linux}\n"
        "detection: {k: [a], condition: k}\n---\n"
        "title: new\nid: x\nlogsource: {product: linux}\n"
        "detection: {k: [b], condition: k}\n");
    REQUIRE(engine->rules().size() == 1);
    CHECK(engine->rules()[0].rule.title == "new");
}

TEST_CASE("a mapping with unknown names is refused with its place") {
    const auto unknown = parse_mapping("process:\n  fields:\n    Image: exxe\n", "m.yaml");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().message == "m.yaml:3:12: process events have no 'exxe'");
    CHECK_FALSE(parse_mapping("other: {}\n", "m.yaml"));
    CHECK_FALSE(parse_mapping("log:\n  logsources: [{produkt: x}]\n", "m.yaml"));
}
