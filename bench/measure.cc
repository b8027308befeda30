#include "bench/measure.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "core/crypto/hash.h"
#include "core/json/json.h"

namespace amoskys::bench {

namespace {

double ratio(const Row& row) {
    return row.peer > 0 ? row.ours / row.peer : 0;
}

std::string number(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.*f", value >= 1000 ? 0 : (value >= 10 ? 1 : 3), value);
    return text;
}

void print_table(const std::vector<Row>& rows, const std::vector<std::string>& notes) {
    std::printf("| %-44s | %-10s | %10s | %10s | %5s | %s |\n", "measure", "unit", "ours", "peer",
                "ratio", "peer is");
    std::printf("|%s|%s|%s:|%s:|%s:|%s|\n", std::string(46, '-').c_str(),
                std::string(12, '-').c_str(), std::string(11, '-').c_str(),
                std::string(11, '-').c_str(), std::string(6, '-').c_str(),
                std::string(9, '-').c_str());
    for (const Row& row : rows) {
        const bool compared = row.peer > 0;
        char share[16] = "-";
        if (compared)
            std::snprintf(share, sizeof share, "%.2f", ratio(row));
        std::printf("| %-44s | %-10s | %10s | %10s | %5s | %s |\n", row.name.c_str(),
                    row.unit.c_str(), number(row.ours).c_str(),
                    compared ? number(row.peer).c_str() : "-", share,
                    compared ? row.peer_name.c_str() : "-");
    }
    for (const std::string& note : notes)
        std::printf("%s\n", note.c_str());
}

void print_json(const std::vector<Row>& rows) {
    Json out;
    out["schema"] = "amoskys.bench/1";
    out["rows"] = Json::array();
    for (const Row& row : rows) {
        Json item;
        item["name"] = row.name;
        item["unit"] = row.unit;
        item["ours"] = row.ours;
        item["peer"] = row.peer > 0 ? Json(row.peer) : Json();
        item["peer_name"] = row.peer_name;
        item["ratio"] = row.peer > 0 ? Json(ratio(row)) : Json();
        out["rows"].push_back(std::move(item));
    }
    std::cout << json::dump_pretty(out) << "\n";
}

}  // namespace

Form form_of(int argc, char** argv) {
    for (int i = 1; i < argc; ++i)
        if (std::string_view(argv[i]) == "--json")
            return Form::json;
    return Form::table;
}

void print(const std::vector<Row>& rows, const std::vector<std::string>& notes, Form form) {
    if (form == Form::table)
        return print_table(rows, notes);
    print_json(rows);
    for (const std::string& note : notes)
        std::cerr << note << "\n";
}

void fail(const Error& error) {
    std::cerr << "bench: " << error << "\n";
    std::exit(exit_code(error));
}

double median(std::vector<double> values) {
    return percentile(std::move(values), 0.5);
}

double percentile(std::vector<double> values, double fraction) {
    if (values.empty())
        return 0;
    const auto rank =
        static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(values.size())));
    const auto at =
        static_cast<std::ptrdiff_t>(std::min(values.size(), std::max<std::size_t>(rank, 1)) - 1);
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

ScratchFolder::ScratchFolder() {
    const char* wanted = std::getenv("AMOSKYS_BENCH_DIR");
    std::uint8_t random[8];
    crypto::random_bytes(random);
    path_ =
        std::filesystem::path(wanted ? wanted : "/var/tmp") / ("amoskys-bench-" + to_hex(random));
    std::filesystem::create_directories(path_);
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace amoskys::bench
