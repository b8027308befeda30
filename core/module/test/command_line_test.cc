#include "core/module/command_line.h"

#include <array>
#include <catch2/catch.hpp>

using namespace amoskys;
using amoskys::module::OptionGroup;
using amoskys::module::parse_arguments;

namespace {

struct Options {
    std::string listen = "127.0.0.1:1";
    std::vector<std::string> targets;
    std::vector<std::string> notes;
    bool once = false;
    std::uint64_t limit = 10;
    std::string file;
    Duration wait = std::chrono::seconds(5);
};
constexpr std::array table{
    config::option<&Options::listen>("http.listen", "", "address"),
    config::option<&Options::targets>("target", "", "targets"),
    config::option<&Options::notes>("note", "", "notes", {}, {.repeat = true}),
    config::option<&Options::once>("once", "", "one cycle"),
    config::option<&Options::limit>("limit", "rows", "most rows", {.min = 1, .max = 1000},
                                    {.short_flag = 'n'}),
    config::option<&Options::file>("file", "", "file", {}, {.positional = true}),
    config::option<&Options::wait>("max_wait", "", "longest wait"),
};
const OptionGroup groups[] = {{"x", "Options", table, config::make_config<Options>}};

Result<Options> parse(std::vector<std::string> words) {
    AMOSKYS_TRY(settings, parse_arguments(words, groups));
    Options options;
    AMOSKYS_TRY_VOID(module::apply_settings(groups[0], settings, &options));
    return options;
}

}  // namespace

TEST_CASE("flags come from the table: dots and underscores become dashes, the last value counts") {
    const auto options =
        parse({"--http-listen", "a:1", "--http-listen=b:2", "--once", "-n", "5", "input.csv",
               "--max-wait", "1m30s", "--target", "a", "--target", "b"});
    REQUIRE(options.has_value());
    CHECK(options->listen == "b:2");
    CHECK(options->once);
    CHECK(options->limit == 5);
    CHECK(options->file == "input.csv");
    CHECK(options->wait == std::chrono::seconds(90));
    CHECK(options->targets == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a wrong flag names the nearest right one and nothing is guessed") {
    const auto wrong = parse({"--limt", "5"});
    REQUIRE(wrong.has_error());
    CHECK(wrong.error().kind == ErrorKind::usage);
    CHECK(wrong.error().hint == "did you mean --limit?");
    CHECK(parse({"--lim", "5"}).has_error());  // no abbreviations
}

TEST_CASE("values outside the bounds, missing values and extra words are usage errors") {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"--limit", "0"}, {"--limit", "many"}, {"--limit"}, {"--max-wait", "5"}, {"a", "b"}}) {
        const auto wrong = parse(words);
        REQUIRE(wrong.has_error());
        CHECK(wrong.error().kind == ErrorKind::usage);
    }
    CHECK(parse({"--limit", "1000"})->limit == 1000);
}

TEST_CASE("help shows flag, unit, bounds and the default of the struct") {
    const std::string help = module::help_options(groups);
    CHECK(help.find("-n, --limit N") != std::string::npos);
    CHECK(help.find("1..1000 rows; default 10") != std::string::npos);
    CHECK(help.find("default 5s") != std::string::npos);
    CHECK(help.find("--http-listen") != std::string::npos);
}

TEST_CASE("lists are split at commas, but not where each occurrence is one item") {
    const auto options =
        parse({"--target", "a,b", "--target", "c", "--note", "x,y", "--note", "z"});
    REQUIRE(options.has_value());
    CHECK(options->targets == std::vector<std::string>{"a", "b", "c"});
    CHECK(options->notes == std::vector<std::string>{"x,y", "z"});
}

TEST_CASE("an option that goes instead of another one is not taken beside it") {
    struct Sources {
        std::vector<std::string> files, interfaces;
    };
    static constexpr std::array sources{
        config::option<&Sources::files>("read", "", "file instead of interfaces", {},
                                        {.short_flag = 'r', .instead_of = "interfaces"}),
        config::option<&Sources::interfaces>("interfaces", "", "interfaces", {},
                                             {.short_flag = 'i'}),
    };
    const OptionGroup group[] = {{"x", "Options", sources, config::make_config<Sources>}};
    const auto parse_words = [&](std::vector<std::string> words) {
        return parse_arguments(words, group);
    };
    CHECK(parse_words({"-r", "a"}).has_value());
    CHECK(parse_words({"-i", "lo"}).has_value());
    const auto both = parse_words({"-i", "lo", "-r", "a"});
    REQUIRE(both.has_error());
    CHECK(both.error().kind == ErrorKind::usage);
    CHECK(both.error().message == "--read and --interfaces: one of the two, not both");
}
