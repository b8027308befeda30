#include "core/crypto/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <set>
#include <stdexcept>
#include <streambuf>

#include "core/base/text.h"

namespace amoskys::crypto {
namespace {

constexpr std::size_t max_size_bytes = 4U << 20U;
constexpr std::size_t max_depth = 16;

// Ends the walk from within yaml-cpp's callbacks; never leaves this file.
class Refused : public std::runtime_error {
  public:
    Refused(const YAML::Mark& mark, const std::string& text)
        : std::runtime_error(text), line(mark.line), column(mark.column) {}
    int line, column;
};

// Reads a string_view without copying it.
class ViewBuffer : public std::streambuf {
  public:
    explicit ViewBuffer(std::string_view text) {
        char* begin = const_cast<char*>(text.data());  // streambuf's get area is never written to
        setg(begin, begin, begin + text.size());
    }
};

class TreeBuilder final : public YAML::EventHandler {
  public:
    YamlNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_extras(mark, "", anchor);
        add(node(mark, YamlNode::Kind::null), mark);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        throw Refused(mark, "aliases (*name) are not allowed; write the value out");
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_extras(mark, tag, anchor);
        YamlNode scalar = node(mark, YamlNode::Kind::scalar);
        scalar.text = value;
        add(std::move(scalar), mark);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value style) override {
        refuse_extras(mark, tag, anchor);
        open(mark, YamlNode::Kind::list, style);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value style) override {
        refuse_extras(mark, tag, anchor);
        open(mark, YamlNode::Kind::map, style);
    }
    void OnMapEnd() override { close(); }

  private:
    struct Frame {
        YamlNode node;
        bool has_key = false;  // maps: the next node is the value of the last entry
        std::set<std::string, std::less<>> keys = {};
    };

    static YamlNode node(const YAML::Mark& mark, YamlNode::Kind kind) {
        YamlNode made;
        made.kind = kind;
        made.line = mark.line;
        made.column = mark.column;
        return made;
    }
    static void refuse_extras(const YAML::Mark& mark, const std::string& tag,
                              YAML::anchor_t anchor) {
        if (anchor != 0)
            throw Refused(mark, "anchors (&name) are not allowed");
        if (!tag.empty() && tag != "?" && tag != "!")
            throw Refused(mark, "type tags (!!name) are not allowed");
    }
    void open(const YAML::Mark& mark, YamlNode::Kind kind, YAML::EmitterStyle::value style) {
        if (stack_.size() >= max_depth)
            throw Refused(mark, fmt::format("nested more than {} deep", max_depth));
        if (!stack_.empty() && stack_.back().node.kind == YamlNode::Kind::map &&
            !stack_.back().has_key)
            throw Refused(mark, "a key has to be one word");
        Frame frame{node(mark, kind)};
        frame.node.flow_style = style == YAML::EmitterStyle::Flow;
        stack_.push_back(std::move(frame));
    }
    void close() {
        YamlNode done = std::move(stack_.back().node);
        stack_.pop_back();
        add(std::move(done), YAML::Mark());
    }
    void add(YamlNode added, const YAML::Mark& mark) {
        if (stack_.empty()) {
            root_ = std::move(added);
            return;
        }
        Frame& frame = stack_.back();
        if (frame.node.kind == YamlNode::Kind::list) {
            frame.node.items.push_back(std::move(added));
        } else if (frame.has_key) {
            frame.node.entries.back().second = std::move(added);
            frame.has_key = false;
        } else {
            if (added.kind != YamlNode::Kind::scalar || added.text.empty())
                throw Refused(mark, "an empty key");
            if (!frame.keys.insert(added.text).second)
                throw Refused(mark, fmt::format("`{}` stands here a second time",
                                                printable(added.text.substr(0, 64))));
            frame.node.entries.emplace_back(std::move(added), YamlNode());
            frame.has_key = true;
        }
    }

    YamlNode root_;
    std::vector<Frame> stack_;
};

Error yaml_error(std::string_view name, int line, int column, std::string_view text) {
    return make_error(ErrorKind::config, "trust_map_yaml",
                      fmt::format("{}:{}:{}: {}", name, line + 1, column + 1, text));
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
    for (const auto& [name, value] : entries)
        if (name.text == key)
            return &value;
    return nullptr;
}

std::string yaml_position(std::string_view name, const YamlNode& node) {
    return fmt::format("{}:{}:{}", name, node.line + 1, node.column + 1);
}

Result<YamlNode> parse_yaml_tree(std::string_view text, std::string_view name) {
    if (text.size() > max_size_bytes)
        return make_error(
            ErrorKind::config, "trust_map_yaml",
            fmt::format("{}: {} bytes; allowed are {}", name, text.size(), max_size_bytes));
    if (!valid_utf8(text))
        return make_error(ErrorKind::config, "trust_map_yaml",
                          fmt::format("{}: not UTF-8 text", name));
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    try {
        YAML::Parser parser(stream);
        TreeBuilder builder;
        parser.HandleNextDocument(builder);
        YamlNode root = builder.take();
        TreeBuilder second;
        if (parser.HandleNextDocument(second))
            return make_error(ErrorKind::config, "trust_map_yaml",
                              fmt::format("{}: a second document; allowed is one", name));
        return root;
    } catch (const Refused& refused) {
        return yaml_error(name, refused.line, refused.column, refused.what());
    } catch (const YAML::Exception& broken) {
        return yaml_error(name, broken.mark.line, broken.mark.column, printable(broken.msg));
    }
}

}  // namespace amoskys::crypto
