#include "modules/collectors/snmp/poll.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "modules/collectors/snmp/test/fake_agent.h"

using namespace amoskys;
using namespace amoskys::snmp;

namespace {

std::size_t rows_of(const PollResult& result, std::size_t column) {
    return result.tables[0][column].size();
}

bool has_fault(const PollResult& result, Fault fault, std::string_view metric) {
    return std::ranges::any_of(
        result.faults, [&](const FaultNote& n) { return n.fault == fault && n.metric == metric; });
}

}  // namespace

TEST_CASE("a poll reads all scalars and all rows of all columns") {
    for (const std::uint32_t rows : {0U, 1U, 2U, 24U, 25U, 26U, 333U}) {
        INFO(rows);
        FakeAgent agent = small_agent(rows);
        DevicePoll poll(small_profile(), Version::v2c, {});
        run(poll, agent);
        const PollResult& result = poll.result();
        CHECK(result.answered);
        CHECK_FALSE(result.cut_short);
        CHECK(result.faults.empty());
        CHECK(std::get<std::string>(result.scalars[0].data) == "box");
        for (std::size_t column = 0; column < 3; ++column)
            CHECK(rows_of(result, column) == rows);
        if (rows > 0)
            CHECK(result.tables[0][1].back().first == Oid{rows});
    }
}

TEST_CASE("version 1 reads the same with GETNEXT, and what is not there is no fault") {
    FakeAgent agent = small_agent(30);
    agent.v1 = true;
    agent.objects.erase({1, 1, 1, 0});
    agent.objects.erase({1, 9, 0});  // the last column ends with the MIB
    DevicePoll poll(small_profile(), Version::v1, {});
    run(poll, agent);
    CHECK_FALSE(has_value(poll.result().scalars[0]));
    CHECK(has_value(poll.result().scalars[1]));
    for (std::size_t column = 0; column < 3; ++column)
        CHECK(rows_of(poll.result(), column) == 30);
    CHECK(poll.result().faults.empty());
}

TEST_CASE("the second poll of a device asks for as many rows as the first one found") {
    FakeAgent agent = small_agent(7);
    DevicePoll first(small_profile(), Version::v2c, {});
    run(first, agent);
    DevicePoll second(small_profile(), Version::v2c, {}, first.memory());
    CHECK(run(second, agent) == 2);  // one GET, one GETBULK of 3 columns x 8 rows
    CHECK(second.result().varbinds == 2 + 3 * 8);
}

TEST_CASE("the walk ends at an OID that does not increase") {
    FakeAgent agent = small_agent(3);
    DevicePoll poll(small_profile(), Version::v2c, {});
    poll.on_response(agent.answer(*poll.next_request()));
    const auto request = poll.next_request();
    REQUIRE(request->oids.size() == 3);
    Response looping;
    looping.varbinds = {{{1, 2, 1, 5}, octets("a")}, {{1, 2, 2, 1}, counter(1)},
                        {{1, 2, 3, 1}, integer(1)},  {{1, 2, 1, 5}, octets("a")},
                        {{1, 2, 2, 2}, counter(1)},  {{1, 2, 2, 9}, integer(1)}};
    poll.on_response(looping);
    CHECK(has_fault(poll.result(), Fault::not_increasing, "descr"));
    CHECK(has_fault(poll.result(), Fault::not_increasing, "used"));
    CHECK(rows_of(poll.result(), 0) == 1);
    CHECK(poll.next_request()->oids == std::vector<Oid>{{1, 2, 2, 2}});
}

TEST_CASE("an endless table ends at max_rows") {
    DevicePoll poll(small_profile(), Version::v2c, {.max_rows = 100});
    std::uint32_t next = 0;
    std::size_t requests = 0;
    while (const auto request = poll.next_request()) {
        REQUIRE(++requests < 100);
        Response response;
        if (request->operation == Operation::get) {
            for (const Oid& oid : request->oids)
                response.varbinds.push_back({oid, {Type::no_such_object, {}}});
        } else {
            for (std::uint32_t row = 0; row < request->repetitions; ++row)
                for (const Oid& oid : request->oids)
                    response.varbinds.push_back({{1, 2, oid[2], ++next}, integer(1)});
        }
        poll.on_response(std::move(response));
    }
    for (std::size_t column = 0; column < 3; ++column)
        CHECK(rows_of(poll.result(), column) == 100);
    CHECK(has_fault(poll.result(), Fault::too_many_rows, "octets"));
}

TEST_CASE("tooBig makes requests smaller until they pass") {
    for (const std::size_t limit : {1U, 2U, 5U, 20U}) {
        INFO(limit);
        FakeAgent agent = small_agent(40);
        agent.too_big_above = limit;
        DevicePoll poll(small_profile(), Version::v2c, {});
        const std::size_t requests = run(poll, agent);
        CHECK(requests < 400);
        CHECK(poll.result().faults.empty());
        for (std::size_t column = 0; column < 3; ++column)
            CHECK(rows_of(poll.result(), column) == 40);
        CHECK(has_value(poll.result().scalars[1]));
    }
}

TEST_CASE("an answer cut in the middle of a row loses nothing") {
    FakeAgent agent = small_agent(40);
    agent.cut_at = 7;
    DevicePoll poll(small_profile(), Version::v2c, {});
    run(poll, agent);
    CHECK(poll.result().faults.empty());
    for (std::size_t column = 0; column < 3; ++column)
        CHECK(rows_of(poll.result(), column) == 40);
}

TEST_CASE("genErr costs the object that it names, with or without an index") {
    FakeAgent agent = small_agent(5);
    agent.refused[{1, 1, 1, 0}] = ErrorStatus::general_error;
    agent.refused[{1, 2, 2}] = ErrorStatus::general_error;
    DevicePoll named(small_profile(), Version::v2c, {});
    run(named, agent);
    CHECK(has_fault(named.result(), Fault::error_status, "name"));
    CHECK(has_fault(named.result(), Fault::error_status, "octets"));
    CHECK(has_value(named.result().scalars[1]));
    CHECK(rows_of(named.result(), 0) == 5);
    CHECK(rows_of(named.result(), 1) == 0);
    CHECK(rows_of(named.result(), 2) == 5);

    DevicePoll unnamed(small_profile(), Version::v2c, {});
    while (const auto request = unnamed.next_request()) {
        Response response = agent.answer(*request);
        response.error_index = 0;
        unnamed.on_response(std::move(response));
    }
    CHECK(has_value(unnamed.result().scalars[1]));
    CHECK(rows_of(unnamed.result(), 2) == 5);
    CHECK(unnamed.result().faults.size() == 2);
}

TEST_CASE("a device that never answers is asked once") {
    DevicePoll poll(small_profile(), Version::v2c, {});
    REQUIRE(poll.next_request());
    poll.on_timeout();
    CHECK_FALSE(poll.next_request());
    CHECK_FALSE(poll.result().answered);
    CHECK(poll.result().cut_short);
}

TEST_CASE(
    "a timeout in the middle makes the next request smaller, three end the poll and keep what "
    "came") {
    FakeAgent agent = small_agent(60);
    DevicePoll poll(small_profile(), Version::v2c, {});
    poll.on_response(agent.answer(*poll.next_request()));
    const auto first = poll.next_request();
    poll.on_timeout();
    const auto second = poll.next_request();
    CHECK(second->repetitions == first->repetitions / 2);
    CHECK(second->oids == first->oids);
    poll.on_response(agent.answer(*second));
    const std::size_t kept = rows_of(poll.result(), 0);
    CHECK(kept > 0);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(poll.next_request());
        poll.on_timeout();
    }
    CHECK_FALSE(poll.next_request());
    CHECK(poll.result().cut_short);
    CHECK(rows_of(poll.result(), 0) == kept);
    CHECK(poll.memory().repetitions < first->repetitions);
}

TEST_CASE(
    "scalars are matched by name: another object in the answer is not taken for the one asked") {
    DevicePoll poll(small_profile(), Version::v2c, {});
    REQUIRE(poll.next_request());
    Response response;
    response.varbinds = {{{1, 1, 2, 0}, octets("0.5")}, {{1, 1, 7, 0}, octets("intruder")}};
    poll.on_response(std::move(response));
    CHECK_FALSE(has_value(poll.result().scalars[0]));
    CHECK(std::get<std::string>(poll.result().scalars[1].data) == "0.5");
    CHECK(has_fault(poll.result(), Fault::malformed, "name"));
}

TEST_CASE("empty answers and answers longer than asked for end the walk in bounded steps") {
    DevicePoll poll(small_profile(), Version::v2c, {});
    std::size_t requests = 0;
    while (poll.next_request()) {
        REQUIRE(++requests < 50);
        poll.on_response({});
    }
    CHECK(poll.result().varbinds == 0);

    DevicePoll flooded(small_profile(), Version::v2c, {});
    FakeAgent agent = small_agent(3);
    while (const auto request = flooded.next_request()) {
        Response response = agent.answer(*request);
        response.varbinds.resize(response.varbinds.size() + 1000);
        flooded.on_response(std::move(response));
    }
    CHECK(rows_of(flooded.result(), 0) == 3);
}

TEST_CASE("a poll stops at its limit of bytes") {
    FakeAgent agent = small_agent(0);
    for (std::uint32_t i = 1; i <= 500; ++i)
        agent.objects[{1, 2, 1, i}] = octets(std::string(1000, 'x'));
    DevicePoll poll(small_profile(), Version::v2c, {.max_bytes = 100'000});
    run(poll, agent);
    CHECK(poll.result().cut_short);
    CHECK(poll.result().bytes < 200'000);
}
