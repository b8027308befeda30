// Option tables: the one description of every setting. The same table gives the YAML schema, the
// environment names, the command-line flags, --help, the man page, `config defaults` and conf/.
// The default of an option is the member initialiser of its config struct and stands nowhere else.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace amoskys::config {

enum class Type { boolean, integer, number, text, duration, size, text_list };

// A setting that must not be printed; `@FILE`, `-` and $CREDENTIALS_DIRECTORY are resolved on load.
struct Secret {
    std::string value;
    ~Secret();  // zeroed
    bool operator==(const Secret&) const = default;
};
// Bytes; YAML "64KiB" or a number.
struct Size {
    std::uint64_t bytes = 0;
    bool operator==(const Size&) const = default;
};

struct Bounds {
    double min =
        -std::numeric_limits<double>::infinity();  // in the option's unit (durations: seconds)
    double max = std::numeric_limits<double>::infinity();
};

struct Flags {
    bool required = false;
    bool reloadable = false;
    bool command_line_only = false;  // --once, --stdout: not in files
    char short_flag = 0;
    bool positional = false;  // takes the arguments without a flag (text: one, text_list: all)
    bool repeat = false;      // text_list: each occurrence of the flag is one item, commas are kept
    std::string_view choices = {};  // "a|b|c": the allowed texts
    // text, and each item of a text_list, where it is not empty: what is wrong with it.
    Result<> (*check)(std::string_view text) = nullptr;
    bool path = false;  // a file or folder that is there already
    // Another option of the table that this one replaces: both on one command line are an error.
    std::string_view instead_of = {};
};

struct Option {
    std::string_view
        name;  // key below the module's root: "listen", "http.listen" (flag --http-listen)
    Type type = Type::text;
    bool secret = false;
    std::string_view unit;
    std::string_view help;
    Bounds bounds;
    Flags flags;
    // Parses and stores; the error says value and what is allowed, the caller adds where it stood.
    Result<> (*assign)(const Option& self, void* config, std::string_view text) = nullptr;
    Result<> (*assign_list)(const Option& self, void* config,
                            const std::vector<std::string>& items) = nullptr;
    // The value as YAML scalar (text_list: flow sequence); "***" for a set secret.
    std::string (*show)(const void* config) = nullptr;
};

// option<&BusConfig::listen>("listen", "", "address to serve on", {...bounds}, {...flags})
template <auto Member>
consteval Option option(std::string_view name, std::string_view unit, std::string_view help,
                        Bounds bounds = {}, Flags flags = {});

}  // namespace amoskys::config

#include "core/config/option_impl.h"
