// NDJSON: one object a line; wide, long, or an event of schema amoskys.event/1.
#include <algorithm>

#include "core/base/text.h"
#include "core/json/json.h"
#include "modules/collectors/replay/decoder.h"

namespace amoskys::replay {
namespace {

constexpr std::string_view event_schema = "amoskys.event/1";

class NdjsonDecoder final : public RecordDecoder {
  public:
    Result<> decode(std::string_view record, const Place& place, Row& row) override;
    Result<> finish(const Place& place) override {
        if (!seen_)
            return bad_row(place, 1, "the file holds no row");
        return {};
    }
    bool quotes() const override { return false; }

  private:
    Result<> read_keys(const Place& place, Row& row);
    Result<> read_wide(const Place& place, Row& row);
    Result<> read_long(const Place& place, Row& row);
    Result<> read_value(const Place& place, const Json& json, Value& value);
    const Json* find(std::string_view key) const {
        const auto found = object_.find(key);
        return found == object_.end() ? nullptr : &*found;
    }
    static const std::string* text_of(const Json* json) {
        return json != nullptr && json->is_string() ? &json->get_ref<const std::string&>()
                                                    : nullptr;
    }

    Json object_;  // views of the row point into it
    bool seen_ = false;
};

Result<> NdjsonDecoder::decode(std::string_view record, const Place& place, Row& row) {
    if (trim(record).empty())
        return {};
    auto parsed = json::parse(record, "row");
    if (!parsed)
        return bad_row(place, 1, parsed.error().message);
    object_ = std::move(*parsed);
    seen_ = true;
    if (!object_.is_object())
        return bad_row(place, 1, "a row must be a JSON object");
    const Json* const schema = find("schema");
    if (schema != nullptr) {
        const auto* name = text_of(schema);
        if (name == nullptr || *name != event_schema)
            return bad_row(
                place, 1,
                "schema " + json::dump(*schema) + " cannot be replayed; only amoskys.event/1");
        const auto* kind = text_of(find("kind"));
        if (kind == nullptr || *kind != "metric") {
            ++skipped;
            return {};
        }
    }
    AMOSKYS_TRY_VOID(read_keys(place, row));
    return schema != nullptr || (find("metric") != nullptr && find("value") != nullptr)
               ? read_long(place, row)
               : read_wide(place, row);
}

Result<> NdjsonDecoder::read_keys(const Place& place, Row& row) {
    const auto* device = text_of(find("device_id"));
    if (device == nullptr)
        device = text_of(find("device"));
    if (device == nullptr)
        return bad_row(place, 1, "the row has no text device_id (or device)");
    AMOSKYS_TRY_VOID(check_name(place, 1, "the device", *device));
    row.device = *device;
    for (const auto& [key, value] : object_.items()) {
        bool nanoseconds = false;
        if (!is_time_column(key, nanoseconds))
            continue;
        const bool fraction = value.is_number_float() && time_unit != TimeUnit::by_column;
        if (!value.is_string() && !value.is_number_unsigned() && !fraction)
            return bad_row(place, 1,
                           "time " + json::dump(value) + " is neither a text nor a whole number");
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        AMOSKYS_TRY(time_ns, read_time(place, 1, text, nanoseconds, time_unit));
        row.time_ns = time_ns;
        return {};
    }
    return bad_row(place, 1, "the row has no ts_ns (or time, timestamp, timestamp_ns)");
}

Result<> NdjsonDecoder::read_value(const Place& place, const Json& json, Value& value) {
    const auto* text = text_of(&json);
    // Whole numbers above 2^53 are texts of digits in our output.
    if (text != nullptr &&
        (value.type == "COUNTER" || value.type == "HISTOGRAM" || value.type == "SUMMARY"))
        return read_number(place, 1, *text, value);
    if (text != nullptr)
        return read_text(place, 1, *text, value);
    if (json.is_boolean())
        value.value = json.get<bool>();
    else if (json.is_number())
        return read_number(place, 1, json.dump(), value);
    else
        return bad_row(place, 1,
                       "the value of " + printable(value.metric) +
                           " is neither a number, a text, true, false nor null");
    return {};
}

Result<> NdjsonDecoder::read_wide(const Place& place, Row& row) {
    for (const auto& [key, json] : object_.items()) {
        bool nanoseconds = false;
        if (is_device_column(key) || is_time_column(key, nanoseconds) || json.is_null())
            continue;
        Value value;
        AMOSKYS_TRY_VOID(check_name(place, 1, "the metric", key));
        value.metric = key;
        AMOSKYS_TRY_VOID(read_value(place, json, value));
        row.values.push_back(std::move(value));
    }
    return {};
}

Result<> NdjsonDecoder::read_long(const Place& place, Row& row) {
    Value value;
    const auto* metric = text_of(find("metric"));
    if (metric == nullptr)
        return bad_row(place, 1, "the metric is not a text");
    AMOSKYS_TRY_VOID(check_name(place, 1, "the metric", *metric));
    value.metric = *metric;
    for (const auto& [key, target] :
         {std::pair{"unit", &value.unit}, std::pair{"index", &value.index}}) {
        const Json* const json = find(key);
        if (json == nullptr || json->is_null())
            continue;
        const auto* text = text_of(json);
        if (text == nullptr)
            return bad_row(place, 1, std::string("the ") + key + " is not a text");
        if (!text->empty())
            AMOSKYS_TRY_VOID(check_name(place, 1, key, *text));
        *target = *text;
    }
    if (const auto* type = text_of(find("type")))
        AMOSKYS_TRY_VOID(read_type(place, 1, *type, value));
    if (const Json* const labels = find("labels"); labels != nullptr && labels->is_object()) {
        for (const auto& [key, label] : labels->items()) {
            const auto* text = text_of(&label);
            if (text == nullptr)
                return bad_row(place, 1, "label " + printable(key) + " is not a text");
            AMOSKYS_TRY_VOID(check_name(place, 1, "a label", key));
            value.labels.emplace_back(key, printable(*text));
        }
    }
    const Json* const json = find("value");
    if (json == nullptr || json->is_null())
        return {};  // missing
    AMOSKYS_TRY_VOID(read_value(place, *json, value));
    row.values.push_back(std::move(value));
    return {};
}

}  // namespace

std::unique_ptr<RecordDecoder> make_ndjson_decoder() {
    return std::make_unique<NdjsonDecoder>();
}

}  // namespace amoskys::replay
