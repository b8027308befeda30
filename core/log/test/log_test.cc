#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/log/log.h"

using namespace amoskys;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

// Sends the log into a file without a name, with a clock that stands still.
class Capture {
  public:
    explicit Capture(log::Format format) : clock_(1'795'222'923'000'000'000ULL) {
        std::string path = "/tmp/amoskys-log-XXXXXX";
        fd_ = mkstemp(path.data());
        unlink(path.c_str());
        log::set_output(fd_);
        log::set_clock(&clock_);
        log::set_format(format);
        log::set_level(log::Level::info);
    }
    ~Capture() {
        log::set_output(STDERR_FILENO);
        log::set_clock(nullptr);
        log::set_format(log::Format::text);
        log::set_level(log::Level::info);
        close(fd_);
    }
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    FakeClock& clock() { return clock_; }
    std::string text() const {
        std::string out(static_cast<std::size_t>(lseek(fd_, 0, SEEK_END)), '\0');
        const auto got = pread(fd_, out.data(), out.size(), 0);
        out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return out;
    }

  private:
    FakeClock clock_;
    int fd_ = -1;
};

}  // namespace

TEST_CASE("a text line has time, level, event, text and fields") {
    const Capture capture(log::Format::text);
    log::info("bus", "session_opened", "agent connected",
              {{"peer", "127.0.0.1:4711"},
               {"cn", "edge 1"},
               {"count", std::uint64_t{7}},
               {"delta", std::int64_t{-1}},
               {"share", 0.5},
               {"ok", true},
               {"empty", ""}});
    CHECK(capture.text() ==
          "2026-11-21T01:02:03.000Z INFO  bus.session_opened agent connected "
          "peer=127.0.0.1:4711 cn=\"edge 1\" count=7 delta=-1 share=0.5 ok=true empty=\"\"\n");
}

TEST_CASE("a JSON line has the same keys") {
    const Capture capture(log::Format::json);
    log::warning("bus", "x", "say \"hi\"",
                 {{"cn", "a\"b\\c"}, {"n", std::uint64_t{1}}, {"b", false}});
    CHECK(capture.text() ==
          R"({"time":"2026-11-21T01:02:03.000Z","level":"warning","component":"bus","event":"x",)"
          R"("text":"say \"hi\"","cn":"a\"b\\c","n":1,"b":false})"
          "\n");
}

TEST_CASE("foreign text cannot break a line or colour the terminal") {
    for (const auto format : {log::Format::text, log::Format::json}) {
        const Capture capture(format);
        log::info("bus", "x", "a\nb", {{"cn", std::string("\x1b[31m\r\nfake\0line", 15)}});
        const auto text = capture.text();
        CHECK(text.find('\n') == text.size() - 1);
        CHECK(text.find('\x1b') == std::string::npos);
        CHECK(text.find('\r') == std::string::npos);
        CHECK(text.find('\0') == std::string::npos);
    }
}

TEST_CASE("a long line is cut and stays a line") {
    for (const auto format : {log::Format::text, log::Format::json}) {
        const Capture capture(format);
        log::info("bus", "x", std::string(10'000, '\n'), {{"cn", std::string(10'000, 'y')}});
        const auto text = capture.text();
        CHECK(text.size() <= 4096);
        CHECK(text.back() == '\n');
        if (format == log::Format::json)
            CHECK(text.ends_with("}\n"));
    }
}

TEST_CASE("lines below the level are not written") {
    const Capture capture(log::Format::text);
    log::debug("bus", "x", "no");
    log::set_level(log::Level::error);
    log::warning("bus", "x", "no");
    log::error("bus", "x", "yes");
    log::set_level(log::Level::off);
    log::error("bus", "x", "no");
    CHECK_THAT(capture.text(), Contains("ERROR bus.x yes\n") && !Contains("no"));
}

TEST_CASE("levels have the earlier spellings too") {
    CHECK((*log::parse_level("INFO") == log::Level::info));
    CHECK((*log::parse_level("WARN") == log::Level::warning));
    CHECK((*log::parse_level("warning") == log::Level::warning));
    CHECK((*log::parse_level("CRITICAL") == log::Level::error));
    CHECK((*log::parse_level("off") == log::Level::off));
    const auto wrong = log::parse_level("loud");
    REQUIRE_FALSE(wrong.has_value());
    CHECK_THAT(wrong.error().message, Contains("\"loud\"") && Contains("debug, info, warning"));
}

TEST_CASE("what was held back is said in the next line that passes") {
    Capture capture(log::Format::text);
    const auto provoke = [](const char* key) {
        if (log::allow(key, 2))
            log::info("bus", "refused", "bad frame");
    };
    for (int i = 0; i < 7; ++i)
        provoke("peer-1");
    provoke("peer-2");
    CHECK(capture.text().find("held back") == std::string::npos);
    capture.clock().advance(10s);
    provoke("peer-2");
    CHECK(capture.text().find("held back") == std::string::npos);
    provoke("peer-1");
    CHECK_THAT(capture.text(), Contains("bad frame (5 like this were held back)\n"));
    provoke("peer-1");
    CHECK_THAT(capture.text(), Catch::Matchers::EndsWith("bad frame\n"));
    const auto text = capture.text();
    CHECK(std::count(text.begin(), text.end(), '\n') == 6);
}

TEST_CASE("keys that a peer invents cost bounded memory and do not reset others in use") {
    const Capture capture(log::Format::text);
    CHECK(log::allow("used", 1));
    for (int i = 0; i < 20'000; ++i) {
        CHECK(log::allow("key " + std::to_string(i), 1));
        if (i % 1000 == 0)
            CHECK_FALSE(log::allow("used", 1));
    }
}

TEST_CASE("lines of several threads do not mix") {
    const Capture capture(log::Format::text);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([] {
            for (int i = 0; i < 200; ++i)
                log::info("bus", "x", std::string(100, 'a'), {{"end", "here"}});
        });
    for (auto& thread : threads)
        thread.join();
    const auto text = capture.text();
    std::size_t lines = 0;
    for (std::size_t begin = 0; begin < text.size(); ++lines) {
        const auto end = text.find('\n', begin);
        REQUIRE(end != std::string::npos);
        const auto line = text.substr(begin, end - begin);
        REQUIRE(line.starts_with("2026-11-21T"));
        REQUIRE(line.ends_with("end=here"));
        begin = end + 1;
    }
    CHECK(lines == 800);
}
