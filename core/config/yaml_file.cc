#include "core/config/yaml_file.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <set>
#include <sstream>

#include "core/base/text.h"

namespace amoskys::config {
namespace {

constexpr std::size_t max_config_bytes = 1U << 20;
constexpr std::size_t max_depth = 32;
constexpr std::size_t max_problems = 100;

// Turns yaml-cpp's events into entries. After a key that cannot be used, its value is still walked
// through (so that later errors are found too) but nothing is stored from it.
class Flattener final : public YAML::EventHandler {
  public:
    Flattener(YamlFile& file, std::string_view name) : file_(file), name_(name) {}

    void OnDocumentStart(const YAML::Mark& mark) override {
        ++documents_;
        if (documents_ == 2)
            problem(mark, "", "text after the end of the document, or a second document");
    }
    void OnDocumentEnd() override {}
    int documents() const { return documents_; }

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        check_extras(mark, "", anchor);
        if (at_key())
            begin_key(mark, "", "an empty key");
        else
            value(mark, EntryKind::null, {});
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        problem(mark, key_, "aliases (*name) are not allowed; write the value out");
        if (at_key())
            begin_key(mark, "", {});
        else
            value(mark, EntryKind::null, {}, Store::no);
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override {
        check_extras(mark, tag, anchor);
        if (at_key())
            begin_key(mark, text, text.empty() ? "an empty key" : "");
        else
            value(mark, EntryKind::scalar, text);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        check_extras(mark, tag, anchor);
        open(mark, Frame::Kind::list);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        check_extras(mark, tag, anchor);
        open(mark, Frame::Kind::map);
    }
    void OnMapEnd() override { close(); }

  private:
    enum class Store { yes, no };
    struct Frame {
        enum class Kind { map, list } kind = Kind::map;
        std::string prefix;       // of the keys in this map: "agent.snmp."
        bool stores = true;       // false inside something that is already wrong
        bool expects_key = true;  // maps: the next event is a key
        std::set<std::string> keys = {};
        Entry list = {};
    };

    bool at_key() const {
        return !frames_.empty() && frames_.back().kind == Frame::Kind::map &&
               frames_.back().expects_key;
    }

    void problem(const YAML::Mark& mark, std::string_view key, std::string_view text) {
        const bool is_reported = documents_ > 1 && second_reported_;
        if (is_reported || file_.problems.size() >= max_problems)
            return;
        second_reported_ = documents_ > 1;
        Problem found;
        found.where = position_text(name_, mark.line, mark.column);
        found.code = "config_yaml";
        found.text = (key.empty() ? "" : printable(key) + ": ") + std::string(text);
        found.line = mark.line;
        found.column = mark.column;
        file_.problems.push_back(std::move(found));
    }

    void check_extras(const YAML::Mark& mark, std::string_view tag, YAML::anchor_t anchor) {
        if (anchor != 0)
            problem(mark, "", "anchors (&name) are not allowed");
        if (!tag.empty() && tag != "?" && tag != "!")
            problem(mark, "", "type tags (!!name) are not allowed");
    }

    // `wrong` says why the key cannot be used; "" = it can.
    void begin_key(const YAML::Mark& mark, const std::string& text, std::string_view wrong) {
        Frame& map = frames_.back();
        map.expects_key = false;
        key_mark_ = mark;
        key_ = map.prefix + text;
        key_stores_ = map.stores && wrong.empty() && !text.empty();
        if (!wrong.empty())
            problem(mark, "", wrong);
        else if (!text.empty() && !map.keys.insert(text).second) {
            problem(mark, key_, "the key stands here a second time");
            key_stores_ = false;
        }
    }

    void value(const YAML::Mark& mark, EntryKind kind, std::string text, Store store = Store::yes) {
        if (frames_.empty()) {
            if (kind != EntryKind::null || store == Store::no)
                problem(mark, "", "the file is not a mapping of keys to values");
            return;
        }
        Frame& frame = frames_.back();
        if (frame.kind == Frame::Kind::list) {
            if (kind == EntryKind::null && store == Store::yes && frame.stores)
                problem(mark, frame.list.key, "an empty list item");
            frame.list.items.push_back(std::move(text));
            return;
        }
        frame.expects_key = true;
        if (!key_stores_ || store == Store::no)
            return;
        Entry entry{key_, kind, {}, key_mark_.line, key_mark_.column};
        if (kind == EntryKind::scalar)
            entry.items.push_back(std::move(text));
        store_entry(std::move(entry));
    }

    void store_entry(Entry entry) {
        // The same key can be reached twice: "bus: {http: {listen: ...}}" and "bus: {http.listen:
        // ...}".
        if (entry.kind != EntryKind::group && !stored_.insert(entry.key).second) {
            problem(key_mark_, entry.key, "the key stands here a second time");
            return;
        }
        file_.entries.push_back(std::move(entry));
    }

    void open(const YAML::Mark& mark, Frame::Kind kind) {
        Frame frame;
        frame.kind = kind;
        if (frames_.empty()) {
            frame.stores = kind == Frame::Kind::map;
            if (kind == Frame::Kind::list)
                problem(mark, "", "the file is not a mapping of keys to values");
        } else if (at_key()) {
            begin_key(mark, "", "a key must be a plain text");
            // The key itself ends with this container; its value follows.
            frames_.back().expects_key = true;
            frame.stores = false;
            key_is_open_.push_back(frames_.size());
        } else if (frames_.back().kind == Frame::Kind::list) {
            if (frames_.back().stores)
                problem(mark, frames_.back().list.key, "list items must be plain texts");
            frame.stores = false;
        } else {
            frame.stores = key_stores_;
            open_below_key(frame);
        }
        push(mark, std::move(frame));
    }

    void open_below_key(Frame& frame) {
        frame.prefix = key_ + ".";
        frame.list = {key_, EntryKind::list, {}, key_mark_.line, key_mark_.column};
        if (frame.stores && frame.kind == Frame::Kind::map)
            store_entry({key_, EntryKind::group, {}, key_mark_.line, key_mark_.column});
    }

    void push(const YAML::Mark& mark, Frame frame) {
        if (frames_.size() == max_depth && !too_deep_) {
            too_deep_ = true;
            problem(mark, "", "nested deeper than 32 levels");
        }
        frame.stores = frame.stores && frames_.size() < max_depth;
        frames_.push_back(std::move(frame));
    }

    void close() {
        Frame frame = std::move(frames_.back());
        frames_.pop_back();
        if (!key_is_open_.empty() && key_is_open_.back() == frames_.size()) {
            key_is_open_.pop_back();  // it was a key: now comes its value, which is dropped
            frames_.back().expects_key = false;
            key_stores_ = false;
            return;
        }
        if (!frames_.empty())
            frames_.back().expects_key = true;
        if (frame.kind == Frame::Kind::list && frame.stores)
            store_entry(std::move(frame.list));
    }

    YamlFile& file_;
    std::string_view name_;
    std::vector<Frame> frames_;
    std::vector<std::size_t> key_is_open_;  // depths at which a container stands in place of a key
    std::set<std::string> stored_;
    std::string key_;  // the key whose value comes next
    YAML::Mark key_mark_;
    bool key_stores_ = false;
    bool too_deep_ = false;
    int documents_ = 0;
    bool second_reported_ = false;  // what else is in a second document is not looked at
};

Problem whole_file(std::string_view name, std::string text) {
    Problem found;
    found.where = std::string(name);
    found.code = "config_yaml";
    found.text = std::move(text);
    return found;
}

}  // namespace

std::string position_text(std::string_view name, int line, int column) {
    return std::string(name) + ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1);
}

YamlFile parse_yaml(std::string_view content, std::string_view name) {
    YamlFile file;
    if (content.size() > max_config_bytes) {
        file.problems.push_back(whole_file(
            name, std::to_string(content.size()) + " bytes; allowed are 1048576 (1 MiB)"));
        return file;
    }
    if (!valid_utf8(content) || content.find('\0') != content.npos) {
        file.problems.push_back(whole_file(name, "not UTF-8 text"));
        return file;
    }
    std::istringstream stream{std::string(content)};
    Flattener flattener(file, name);
    try {
        YAML::Parser parser(stream);
        // Never a third: before a stray "," yaml-cpp finds empty documents without end.
        while (flattener.documents() < 2 && parser.HandleNextDocument(flattener)) {
        }
    } catch (const YAML::Exception& error) {
        Problem found = whole_file(name, "not valid YAML: " + printable(error.msg));
        if (!error.mark.is_null()) {
            found.where = position_text(name, error.mark.line, error.mark.column);
            found.line = error.mark.line;
            found.column = error.mark.column;
        }
        file.problems.push_back(std::move(found));
    }
    return file;
}

}  // namespace amoskys::config
