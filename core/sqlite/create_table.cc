#include "core/sqlite/create_table.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/sqlite/fault.h"

namespace amoskys::sqlite {

namespace {

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

struct SqlToken {
    enum Kind : std::uint8_t { end, word, quoted, sign };
    Kind kind = end;
    std::string text;       // of quoted: without the quotes
    std::size_t depth = 0;  // of parentheses within the item

    bool is(std::string_view keyword) const { return kind == word && same_name(text, keyword); }
    bool is_sign(char c) const { return kind == sign && text[0] == c; }
};

class SqlLexer {
  public:
    explicit SqlLexer(std::string_view sql) : rest_(sql) {}

    SqlToken next() {
        skip_blank();
        if (rest_.empty())
            return {};
        const char c = rest_[0];
        if (c == '"' || c == '\'' || c == '`' || c == '[')
            return quoted(c == '[' ? ']' : c);
        std::size_t length = 0;
        while (length < rest_.size() && in_word(rest_[length]))
            ++length;
        return {length == 0 ? SqlToken::sign : SqlToken::word,
                cut(std::max<std::size_t>(length, 1)), 0};
    }

  private:
    static bool in_word(char c) {
        return (upper(c) >= 'A' && upper(c) <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '$' || static_cast<std::uint8_t>(c) >= 0x80;
    }
    std::string cut(std::size_t length) {
        std::string out(rest_.substr(0, length));
        rest_.remove_prefix(length);
        return out;
    }
    void skip_past(std::string_view end) {
        const std::size_t at = rest_.find(end);
        rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + end.size());
    }
    void skip_blank() {
        for (;;) {
            const std::size_t blank = rest_.find_first_not_of(" \t\n\f\r");
            rest_.remove_prefix(std::min(blank, rest_.size()));
            if (rest_.starts_with("--"))
                skip_past("\n");
            else if (rest_.starts_with("/*"))
                skip_past("*/");
            else
                return;
        }
    }
    // A doubled quote stands for itself, but not in brackets.
    SqlToken quoted(char close) {
        SqlToken out{SqlToken::quoted, {}, 0};
        rest_.remove_prefix(1);
        while (!rest_.empty()) {
            const char c = rest_[0];
            rest_.remove_prefix(1);
            if (c == close) {
                if (close == ']' || !rest_.starts_with(close))
                    break;
                rest_.remove_prefix(1);
            }
            out.text += c;
        }
        return out;
    }

    std::string_view rest_;
};

template <std::size_t N>
bool is_any(const SqlToken& token, const std::string_view (&keywords)[N]) {
    return std::ranges::any_of(keywords, [&](std::string_view k) { return token.is(k); });
}

// One definition between the commas: of a column, or of a constraint on the table.
class Definition {
  public:
    void add(SqlToken token) { tokens_.push_back(std::move(token)); }

    Result<> apply(Table& table, std::string& primary_key) const {
        static constexpr std::string_view constraints[] = {"CONSTRAINT", "PRIMARY", "UNIQUE",
                                                           "CHECK", "FOREIGN"};
        if (tokens_.empty() || tokens_[0].kind == SqlToken::sign)
            return damaged("a column without a name");
        if (is_any(tokens_[0], constraints)) {
            constraint(primary_key);
            return {};
        }
        return column(table, primary_key);
    }

  private:
    SqlToken at(std::size_t i) const { return i < tokens_.size() ? tokens_[i] : SqlToken{}; }

    void constraint(std::string& primary_key) const {
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            if (tokens_[i].depth != 0 || !tokens_[i].is("PRIMARY"))
                continue;
            bool several = false;
            for (std::size_t j = i + 3; at(j).depth != 0; ++j)  // past PRIMARY, KEY and (
                several = several || (at(j).depth == 1 && at(j).is_sign(','));
            if (!several)
                primary_key = at(i + 3).text;
        }
    }

    Result<> column(Table& table, std::string& primary_key) const {
        static constexpr std::string_view ends_type[] = {
            "CONSTRAINT", "PRIMARY", "NOT",        "NULL",      "UNIQUE", "CHECK",
            "DEFAULT",    "COLLATE", "REFERENCES", "GENERATED", "AS"};
        Column out{.name = tokens_[0].text};
        std::size_t i = 1;
        for (; i < tokens_.size() && !is_any(tokens_[i], ends_type); ++i)
            if (tokens_[i].depth == 0 && tokens_[i].kind != SqlToken::sign)
                out.type += (out.type.empty() ? "" : " ") + tokens_[i].text;
        std::ranges::transform(out.type, out.type.begin(), upper);
        for (; i < tokens_.size(); ++i) {
            if (tokens_[i].depth != 0)
                continue;
            if (tokens_[i].is("AS"))
                return unsupported("column " + excerpt(out.name) + " is computed");
            if (tokens_[i].is("DEFAULT") && !at(i - 1).is("SET"))
                out.has_default = !at(i + 1).is("NULL");
            // Of a column, PRIMARY KEY DESC makes no row id: an early mistake of SQLite that
            // stayed.
            if (tokens_[i].is("PRIMARY") && !at(i + 2).is("DESC"))
                primary_key = out.name;
        }
        if (table.columns.size() == columns_max)
            return unsupported("more than " + std::to_string(columns_max) + " columns");
        table.columns.push_back(std::move(out));
        return {};
    }

    std::vector<SqlToken> tokens_;
};

// What stands between the parentheses.
Result<> parse_definitions(SqlLexer& lexer, Table& table, std::string& primary_key) {
    Definition definition;
    for (std::size_t depth = 0;;) {
        SqlToken token = lexer.next();
        if (token.kind == SqlToken::end)
            return damaged("a table whose definition is cut off");
        if (depth == 0 && (token.is_sign(',') || token.is_sign(')'))) {
            AMOSKYS_TRY_VOID(definition.apply(table, primary_key));
            if (token.is_sign(')'))
                return {};
            definition = {};
            continue;
        }
        if (token.is_sign(')'))
            --depth;
        token.depth = depth;
        if (token.is_sign('('))
            ++depth;
        definition.add(std::move(token));
    }
}

}  // namespace

bool Column::real() const {  // "Determination of column affinity": the first that fits decides
    for (const std::string_view other : {"INT", "CHAR", "CLOB", "TEXT", "BLOB"})
        if (type.find(other) != std::string::npos)
            return false;
    for (const std::string_view name_part : {"REAL", "FLOA", "DOUB"})
        if (type.find(name_part) != std::string::npos)
            return true;
    return false;
}

bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return upper(x) == upper(y); });
}

std::optional<std::size_t> Table::column(std::string_view wanted) const {
    for (std::size_t i = 0; i < columns.size(); ++i)
        if (same_name(columns[i].name, wanted))
            return i;
    return std::nullopt;
}

Result<Table> parse_create_table(std::string_view sql) {
    SqlLexer lexer(sql);
    if (!lexer.next().is("CREATE"))
        return damaged("a table whose definition is none");
    const SqlToken kind = lexer.next();
    if (kind.is("VIRTUAL"))
        return unsupported("a virtual table");
    Table out;
    out.name = lexer.next().text;
    if (!kind.is("TABLE") || !lexer.next().is_sign('('))
        return damaged("a table whose definition is none");
    std::string primary_key;
    AMOSKYS_TRY_VOID(parse_definitions(lexer, out, primary_key));
    for (SqlToken option = lexer.next(); option.kind != SqlToken::end; option = lexer.next())
        if (option.is("WITHOUT"))
            return unsupported("a table WITHOUT ROWID");
    if (const auto key = out.column(primary_key); key && out.columns[*key].type == "INTEGER")
        out.row_id = key;
    return out;
}

}  // namespace amoskys::sqlite
