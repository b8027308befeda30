#include "core/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <set>
#include <stdexcept>
#include <streambuf>

#include "core/base/text.h"
#include "core/config/yaml_file.h"

namespace amoskys::config {
namespace {

constexpr std::size_t max_tree_bytes = 4U << 20U;
constexpr std::size_t max_tree_depth = 16;

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
        scalar.quoted = tag == "!";
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
        if (stack_.size() >= max_tree_depth)
            throw Refused(mark, "nested more than " + std::to_string(max_tree_depth) + " deep");
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
                throw Refused(mark, "`" + excerpt(added.text) + "` stands here a second time");
            frame.node.entries.emplace_back(std::move(added), YamlNode());
            frame.has_key = true;
        }
    }

    YamlNode root_;
    std::vector<Frame> stack_;
};

Error yaml_error(const YamlErrors& errors, const std::string& message) {
    return make_error(errors.kind, errors.code, message);
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
    for (const auto& [name, value] : entries)
        if (name.text == key)
            return &value;
    return nullptr;
}

std::string yaml_position(std::string_view name, const YamlNode& node) {
    return position_text(name, node.line, node.column);
}

Result<std::vector<YamlNode>> parse_yaml_documents(std::string_view text, std::string_view name,
                                                   const YamlErrors& errors, std::size_t most) {
    const std::string where(name);
    if (text.size() > max_tree_bytes)
        return yaml_error(errors, where + ": " + std::to_string(text.size()) +
                                      " bytes; allowed are " + std::to_string(max_tree_bytes));
    if (!valid_utf8(text))
        return yaml_error(errors, where + ": not UTF-8 text");
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    std::vector<YamlNode> documents;
    try {
        YAML::Parser parser(stream);
        // Never beyond `most`: before a stray "," yaml-cpp finds empty documents without end.
        for (TreeBuilder builder; parser.HandleNextDocument(builder); builder = TreeBuilder()) {
            if (documents.size() == most)
                return yaml_error(errors,
                                  where + (most == 1 ? ": a second document; allowed is one"
                                                     : ": more documents than the " +
                                                           std::to_string(most) + " allowed"));
            documents.push_back(builder.take());
        }
    } catch (const Refused& refused) {
        return yaml_error(
            errors, position_text(name, refused.line, refused.column) + ": " + refused.what());
    } catch (const YAML::Exception& broken) {
        return yaml_error(errors, position_text(name, broken.mark.line, broken.mark.column) + ": " +
                                      printable(broken.msg));
    }
    if (documents.empty())
        documents.emplace_back();
    return documents;
}

Result<YamlNode> parse_yaml_tree(std::string_view text, std::string_view name,
                                 const YamlErrors& errors) {
    AMOSKYS_TRY(documents, parse_yaml_documents(text, name, errors, 1));
    return std::move(documents.front());
}

}  // namespace amoskys::config
