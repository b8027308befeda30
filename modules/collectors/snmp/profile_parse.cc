// The YAML of a profile by our own tables: every key is known, every error has its line and column.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <set>

#include "core/base/text.h"
#include "modules/collectors/snmp/profile.h"
#include "modules/collectors/snmp/text_form.h"

namespace amoskys::snmp {
namespace {

constexpr std::size_t max_metrics = 10'000;
constexpr std::size_t max_error_bytes = 16'384;

class Reader {
  public:
    explicit Reader(std::string_view file) : file_(file) {}

    Profile profile(const YAML::Node& root);
    const std::string& errors() const { return errors_; }

    void error(const YAML::Mark& mark, const std::string& what) {
        if (errors_.size() > max_error_bytes)
            return;
        if (!errors_.empty())
            errors_ += '\n';
        errors_ += file_ + ':' + std::to_string(mark.line + 1) + ':' +
                   std::to_string(mark.column + 1) + ": " + what;
    }

  private:
    struct Key {
        std::string_view name;
        std::function<void(const YAML::Node&)> read;
        bool required = false;
    };

    void map(const YAML::Node& node, std::string_view what, const std::vector<Key>& keys);
    void list(const YAML::Node& node, std::string_view what,
              const std::function<void(const YAML::Node&)>& read);
    void text(const YAML::Node& node, std::string& out);
    template <class Enum>
    void choice(const YAML::Node& node,
                std::initializer_list<std::pair<std::string_view, Enum>> choices, Enum& out);
    void flag(const YAML::Node& node, bool& out);
    void oid(const YAML::Node& node, Oid& out);
    void names(const YAML::Node& node, Metric& out);
    void number(const YAML::Node& node, double& out);
    Metric metric(const YAML::Node& node);
    Derived derived(const YAML::Node& node, const std::vector<Metric>& metrics,
                    const std::vector<Derived>& before, bool open);
    void name_list(const YAML::Node& node, std::vector<std::string>& out);
    Cut cut(const YAML::Node& node);
    Vendor vendor(const YAML::Node& node);
    Table table(const YAML::Node& node);
    void new_name(const YAML::Node& node, const std::string& name);

    std::string file_;
    std::string errors_;
    std::set<std::string> metrics_;
};

void Reader::map(const YAML::Node& node, std::string_view what, const std::vector<Key>& keys) {
    if (!node.IsMap())
        return error(node.Mark(), std::string(what) + ": a mapping is wanted here");
    std::set<std::string> seen;
    for (const auto& entry : node) {
        const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
        const auto key = std::ranges::find(keys, name, &Key::name);
        if (key == keys.end()) {
            std::vector<std::string_view> known;
            for (const Key& one : keys)
                known.push_back(one.name);
            const std::string_view near = nearest(name, known);
            error(entry.first.Mark(),
                  "unknown key " + printable(name) + " in " + std::string(what) +
                      (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
        } else if (!seen.insert(name).second) {
            error(entry.first.Mark(), "key " + name + " stands here twice");
        } else {
            key->read(entry.second);
        }
    }
    for (const Key& key : keys)
        if (key.required && !seen.contains(std::string(key.name)))
            error(node.Mark(), std::string(what) + ": " + std::string(key.name) + " is missing");
}

void Reader::list(const YAML::Node& node, std::string_view what,
                  const std::function<void(const YAML::Node&)>& read) {
    if (!node.IsSequence())
        return error(node.Mark(), std::string(what) + ": a list is wanted here");
    for (const auto& item : node) {
        if (errors_.size() > max_error_bytes)
            return;  // an alias may make a small file endless
        read(item);
    }
}

void Reader::text(const YAML::Node& node, std::string& out) {
    if (!node.IsScalar() || node.Scalar().empty())
        return error(node.Mark(), "a text is wanted here");
    out = node.Scalar();
    if (!valid_utf8(out) || printable(out) != out)
        error(node.Mark(), "control characters are not allowed here");
}

template <class Enum>
void Reader::choice(const YAML::Node& node,
                    std::initializer_list<std::pair<std::string_view, Enum>> choices, Enum& out) {
    std::string allowed;
    for (const auto& [name, value] : choices) {
        if (node.IsScalar() && node.Scalar() == name) {
            out = value;
            return;
        }
        allowed += (allowed.empty() ? "" : ", ") + std::string(name);
    }
    error(node.Mark(), (node.IsScalar() ? printable(node.Scalar()) + ": " : std::string()) +
                           "allowed are " + allowed);
}

void Reader::flag(const YAML::Node& node, bool& out) {
    choice<bool>(node, {{"true", true}, {"false", false}}, out);
}

void Reader::oid(const YAML::Node& node, Oid& out) {
    const auto parsed = node.IsScalar() ? parse_oid(node.Scalar()) : std::nullopt;
    if (!parsed || parsed->size() < 2)
        return error(node.Mark(),
                     (node.IsScalar() ? printable(node.Scalar()) + ": " : std::string()) +
                         "an OID in numbers is wanted here, as 1.3.6.1.2.1.1.1.0");
    out = *parsed;
}

void Reader::names(const YAML::Node& node, Metric& out) {
    if (!node.IsMap())
        return error(node.Mark(), "names: a mapping of numbers to names is wanted here");
    for (const auto& entry : node) {
        const std::string digits = entry.first.IsScalar() ? entry.first.Scalar() : "";
        std::int64_t number = 0;
        const auto [end, failed] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        std::string name;
        if (failed != std::errc() || end != digits.data() + digits.size())
            error(entry.first.Mark(), printable(digits) + ": a whole number is wanted here");
        else if (std::ranges::find(out.names, number, [](const auto& p) { return p.first; }) !=
                 out.names.end())
            error(entry.first.Mark(), digits + " stands here twice");
        text(entry.second, name);
        out.names.emplace_back(number, std::move(name));
    }
}

void Reader::new_name(const YAML::Node& node, const std::string& name) {
    if (!name.empty() && !metrics_.insert(name).second)
        error(node.Mark(), "metric " + printable(name) + " stands in this profile twice");
    if (metrics_.size() == max_metrics + 1)
        error(node.Mark(), "more than " + std::to_string(max_metrics) + " metrics");
}

void Reader::number(const YAML::Node& node, double& out) {
    const std::string text = node.IsScalar() ? node.Scalar() : "";
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (text.empty() || failed != std::errc() || end != text.data() + text.size() ||
        !std::isfinite(out))
        error(node.Mark(), "a number is wanted here");
}

void Reader::name_list(const YAML::Node& node, std::vector<std::string>& out) {
    if (node.IsScalar())
        return text(node, out.emplace_back());
    list(node, "names", [&](const YAML::Node& item) { text(item, out.emplace_back()); });
}

// `open`: inputs may stand in an included profile, and are looked up there.
Derived Reader::derived(const YAML::Node& node, const std::vector<Metric>& metrics,
                        const std::vector<Derived>& before, bool open) {
    Derived out;
    std::string whole;
    int ops = 0;
    const auto op = [&](Derived::Op which) {
        return [this, &out, &ops, which](const YAML::Node& n) {
            out.op = which;
            ++ops;
            name_list(n, out.inputs);
        };
    };
    map(node, "derived",
        {{"metric",
          [&](const YAML::Node& n) {
              text(n, out.name);
              new_name(n, out.name);
          },
          true},
         {"rate", op(Derived::Op::rate)},
         {"rates", op(Derived::Op::rates)},
         {"sum", op(Derived::Op::sum)},
         {"first", op(Derived::Op::first)},
         {"percent", op(Derived::Op::percent)},
         {"rest", op(Derived::Op::rest)},
         {"of", [&](const YAML::Node& n) { text(n, whole); }},
         {"scale", [&](const YAML::Node& n) { number(n, out.scale); }},
         {"limit", [&](const YAML::Node& n) { text(n, out.limit); }},
         {"discontinuity", [&](const YAML::Node& n) { text(n, out.discontinuity); }},
         {"unit", [&](const YAML::Node& n) { text(n, out.unit); }, true},
         {"stored", [&](const YAML::Node& n) { flag(n, out.stored); }}});
    if (!node.IsMap())
        return out;
    if (ops != 1)
        error(node.Mark(), "one of rate, rates, sum, first, percent, rest is wanted");
    const bool pair = out.op == Derived::Op::percent || out.op == Derived::Op::rest;
    if (pair != !whole.empty() || (pair && out.inputs.size() != 1))
        error(node.Mark(), "percent and rest have one metric and `of`, the others no `of`");
    if (pair)
        out.inputs.push_back(whole);
    std::vector<std::string> used = out.inputs;
    used.push_back(out.limit);
    used.push_back(out.discontinuity);
    for (const std::string& input : used)
        if (!open && !input.empty() &&
            std::ranges::find(metrics, input, &Metric::name) == metrics.end() &&
            std::ranges::find(before, input, &Derived::name) == before.end())
            error(node.Mark(), "input " + printable(input) + ": no metric before it has that name");
    return out;
}

Metric Reader::metric(const YAML::Node& node) {
    Metric out;
    map(node, "metric",
        {{"metric",
          [&](const YAML::Node& n) {
              text(n, out.name);
              new_name(n, out.name);
          },
          true},
         {"oid", [&](const YAML::Node& n) { oid(n, out.oid); }, true},
         {"type",
          [&](const YAML::Node& n) {
              choice<MetricKind>(n,
                                 {{"gauge", MetricKind::gauge},
                                  {"counter", MetricKind::counter},
                                  {"text", MetricKind::text}},
                                 out.kind);
          },
          true},
         {"unit", [&](const YAML::Node& n) { text(n, out.unit); }},
         {"read",
          [&](const YAML::Node& n) {
              choice<Read>(n,
                           {{"number", Read::number},
                            {"unsigned32", Read::unsigned32},
                            {"date_time", Read::date_time}},
                           out.read);
          }},
         {"hint",
          [&](const YAML::Node& n) {
              text(n, out.hint);
              out.read = Read::hint;
              if (!valid_hint(out.hint))
                  error(n.Mark(), printable(out.hint) + ": no DISPLAY-HINT, as 1x:");
          }},
         {"scale", [&](const YAML::Node& n) { number(n, out.scale); }},
         {"settles_s", [&](const YAML::Node& n) { number(n, out.settles_s); }},
         {"identity",
          [&](const YAML::Node& n) {
              text(n, out.identity);
              if (!std::set<std::string>{"manufacturer", "model", "firmware", "serial"}.contains(
                      out.identity))
                  error(n.Mark(), "allowed are manufacturer, model, firmware, serial");
          }},
         {"vendor", [&](const YAML::Node& n) { text(n, out.vendor); }},
         {"stored", [&](const YAML::Node& n) { flag(n, out.stored); }},
         {"names", [&](const YAML::Node& n) { names(n, out); }}});
    if (node.IsMap() && (out.kind == MetricKind::text) != out.unit.empty())
        error(node.Mark(), out.kind == MetricKind::text
                               ? "a text has no unit"
                               : "unit is missing (\"1\" for a plain number)");
    return out;
}

Table Reader::table(const YAML::Node& node) {
    Table out;
    std::vector<YAML::Node> labels, values;
    map(node, "table",
        {{"table", [&](const YAML::Node& n) { text(n, out.name); }, true},
         {"labels",
          [&](const YAML::Node& n) {
              list(n, "labels", [&](const YAML::Node& item) { labels.push_back(item); });
          }},
         {"columns",
          [&](const YAML::Node& n) {
              list(n, "columns",
                   [&](const YAML::Node& item) { out.columns.push_back(metric(item)); });
          },
          true},
         {"max_rows",
          [&](const YAML::Node& n) {
              double rows = 0;
              number(n, rows);
              if (!(rows >= 1 && rows <= 1e6))
                  error(n.Mark(), "1 to 1000000 rows are allowed");
              else
                  out.max_rows = static_cast<std::size_t>(rows);
          }},
         {"derived", [&](const YAML::Node& n) {
              list(n, "derived", [&](const YAML::Node& item) { values.push_back(item); });
          }}});
    for (const YAML::Node& value : values)
        out.derived.push_back(derived(value, out.columns, out.derived, false));
    if (errors_.empty() && !resolve(out.columns, out.derived))
        error(node.Mark(), "derived values of this table do not fit");
    for (const YAML::Node& label : labels) {
        std::string name;
        text(label, name);
        const auto column = std::ranges::find(out.columns, name, &Metric::name);
        if (column == out.columns.end())
            error(label.Mark(),
                  "label " + printable(name) + ": no column of this table has that name");
        else
            out.labels.push_back(static_cast<std::size_t>(column - out.columns.begin()));
    }
    if (node.IsMap() && out.columns.empty())
        error(node.Mark(), "table without columns");
    return out;
}

Cut Reader::cut(const YAML::Node& node) {
    Cut out;
    const auto any = [this](const YAML::Node& n, std::string& into) {
        if (!n.IsScalar())
            return error(n.Mark(), "a text is wanted here");
        into = n.Scalar();
    };
    map(node, "cut",
        {{"after", [&](const YAML::Node& n) { any(n, out.after); }, true},
         {"until", [&](const YAML::Node& n) { any(n, out.until); }, true},
         {"last", [&](const YAML::Node& n) { flag(n, out.last); }},
         {"skip", [&](const YAML::Node& n) {
              double times = 0;
              number(n, times);
              if (!(times >= 0 && times <= 16) || out.until.empty())
                  error(n.Mark(), "0 to 16 parts are allowed, after `until`");
              else
                  out.skip = static_cast<std::size_t>(times);
          }}});
    return out;
}

Vendor Reader::vendor(const YAML::Node& node) {
    Vendor out;
    const auto part = [&](const char* field) {
        return [this, &out, field](const YAML::Node& n) { out.cuts.emplace_back(field, cut(n)); };
    };
    map(node, "vendor",
        {{"oid", [&](const YAML::Node& n) { oid(n, out.oid); }, true},
         {"name",
          [&](const YAML::Node& n) {
              if (!n.IsScalar() || !n.Scalar().empty())
                  text(n, out.name);
          },
          true},
         {"model", part("model")},
         {"firmware", part("firmware")},
         {"serial", part("serial")}});
    return out;
}

Profile Reader::profile(const YAML::Node& root) {
    Profile out;
    std::vector<YAML::Node> values;
    map(root, "profile",
        {{"profile", [&](const YAML::Node& n) { text(n, out.name); }, true},
         {"summary", [&](const YAML::Node& n) { text(n, out.summary); }},
         {"include",
          [&](const YAML::Node& n) {
              list(n, "include",
                   [&](const YAML::Node& item) { text(item, out.includes.emplace_back()); });
          }},
         {"scalars",
          [&](const YAML::Node& n) {
              list(n, "scalars",
                   [&](const YAML::Node& item) { out.scalars.push_back(metric(item)); });
          }},
         {"tables",
          [&](const YAML::Node& n) {
              list(n, "tables", [&](const YAML::Node& item) { out.tables.push_back(table(item)); });
          }},
         {"vendors",
          [&](const YAML::Node& n) {
              list(n, "vendors",
                   [&](const YAML::Node& item) { out.vendors.push_back(vendor(item)); });
          }},
         {"match",
          [&](const YAML::Node& n) {
              list(n, "match",
                   [&](const YAML::Node& item) { oid(item, out.match.emplace_back()); });
          }},
         {"derived", [&](const YAML::Node& n) {
              list(n, "derived", [&](const YAML::Node& item) { values.push_back(item); });
          }}});
    for (const YAML::Node& value : values)
        out.derived.push_back(derived(value, out.scalars, out.derived, !out.includes.empty()));
    if (errors_.empty() && out.includes.empty() && !resolve(out.scalars, out.derived))
        error(root.Mark(), "derived values do not fit");
    if (root.IsMap() && out.scalars.empty() && out.tables.empty() && out.includes.empty())
        error(root.Mark(), "a profile reads at least one scalar or table");
    return out;
}

}  // namespace

Result<Profile> parse_profile(std::string_view yaml, std::string_view file_name) {
    const auto fail = [](std::string message) {
        return make_error(ErrorKind::config, "snmp_profile_invalid", std::move(message));
    };
    Reader reader(file_name);
    if (yaml.size() > max_profile_bytes)
        return fail(std::string(file_name) + ": " + std::to_string(yaml.size()) +
                    " bytes; a profile has at most 1 MiB");
    try {
        const YAML::Node root = YAML::Load(std::string(yaml));
        Profile profile = reader.profile(root);
        if (reader.errors().empty())
            return profile;
    } catch (const YAML::Exception& e) {
        reader.error(e.mark.is_null() ? YAML::Mark() : e.mark, e.msg);
    }
    return fail(reader.errors());
}

}  // namespace amoskys::snmp
