// Chat templates against jinja2 set up as transformers sets it up (tools/gen_template_cases.py).
#include <gtest/gtest.h>

#include "text/chat_template.h"
#include "text/tests_text.h"

namespace tern::text {
namespace {

using namespace std::chrono_literals;

// The moment that the generator used: Saturday, 2024-07-06, 15:04:05.
constexpr std::chrono::sys_seconds kNow = std::chrono::sys_days(std::chrono::July / 6 / 2024) + 15h + 4min + 5s;

Result<std::string> render(const std::string& source, Json variables) {
  const ChatTemplate chat = TRY(ChatTemplate::parse(source));
  RenderOptions options{.add_generation_prompt = false, .bos_token = "<s>", .eos_token = "</s>", .now = kNow};
  Json messages = Json::array();
  for (auto& [name, value] : variables.items()) {
    if (name == "messages") messages = value;
    if (name == "tools") options.tools = value;
    if (name == "add_generation_prompt") options.add_generation_prompt = value.get<bool>();
  }
  for (const char* name : {"messages", "tools", "add_generation_prompt"}) variables.erase(name);
  options.extra = std::move(variables);
  return chat.render(messages, options);
}

void expect_case(const Json& c, const std::string& source, const Json& variables) {
  const auto got = render(source, variables);
  const std::string label = c.contains("name") ? c["name"].get<std::string>() : source;
  if (c.contains("output")) {
    ASSERT_TRUE(got) << label << "\n" << got.error().to_string();
    EXPECT_EQ(*got, c["output"].get<std::string>()) << label;
  } else {
    EXPECT_FALSE(got) << label << " gives \"" << *got << "\" where jinja2 fails: " << c["error"];
  }
}

TEST(ChatTemplate, RendersAsJinja2Does) {
  const Json cases = read_json(data_path("template_cases.json"));
  ASSERT_GE(cases.size(), 150u);
  for (size_t i = 1; i < cases.size(); ++i) {
    const Json& c = cases[i];
    if (c.contains("file")) {
      expect_case(c, read_file(data_path("templates/" + c["file"].get<std::string>())), c["variables"]);
    } else {
      expect_case(c, c["template"].get<std::string>(), cases[0]["context"]);
    }
  }
}

// Meta's template itself is not in the repository (its license is Meta's own); what jinja2 makes of it is.
TEST(ChatTemplate, Llama31) {
  const std::string source = read_file(TERN_SOURCE_DIR "/tests/peers/node_modules/.tern/llama31.jinja");
  if (source.empty()) GTEST_SKIP() << "Llama 3.1's template is not there; `make setup` fetches it into tests/peers.";
  for (const Json& c : read_json(data_path("llama31_cases.json"))) expect_case(c, source, c["variables"]);
}

std::string error_of(const std::string& source) {
  const auto got = render(source, Json::object());
  return got ? "no error" : got.error().to_string();
}

TEST(ChatTemplate, RaiseExceptionSpeaksForItself) {
  const auto got = render("{% if true %}\n{{ raise_exception('Roles must alternate!') }}{% endif %}", Json::object());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(got.error().message, "Roles must alternate!");
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  EXPECT_EQ(error_of("a\n\n{{ x y }}"),
            "Line 3 of the template: expected \"}}\", found y. - while reading the chat template");
  EXPECT_EQ(error_of("a\n{{ 1 / 0 }}"),
            "A number is divided by zero. - at line 2 of the template - while applying the chat template");
  EXPECT_EQ(error_of("{% import 'x' as y %}").substr(0, 78),
            "Line 1 of the template: Tern does not know the statement \"import\"; it knows if");
  EXPECT_EQ(error_of("\n{{ nothing.here }}"),
            "\"nothing\" is undefined. - at line 2 of the template - while applying the chat template");
}

TEST(ChatTemplate, AppendWorksOutsideOfTransformersSandbox) {
  const auto got = render("{% set l = [] %}{% set _ = l.append(1) %}{{ l }}", Json::object());
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, "[1]");
}

struct Hostile {
  const char* what;
  std::string source;
  const char* message;  // part of the error
};

std::string repeated(const std::string& part, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += part;
  return out;
}

TEST(ChatTemplate, HostileTemplatesEndWithAnError) {
  const Hostile cases[] = {
      {"10 MB", repeated("x", 10 << 20), "at most 1048576 are allowed"},
      {"invalid UTF-8", "a\xff", "not valid UTF-8"},
      {"nested ranges",
       "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% "
       "endfor %}",
       "builds more than"},
      {"long range", "{% for a in range(999999999999) %}{% endfor %}", "builds more than"},
      {"growing text",
       "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
       "builds more than"},
      {"repeated text", "{{ 'ab' * 9999999999999 }}", "builds more than"},
      {"repeated list", "{{ [1] * 4611686018427387904 }}", "builds more than"},
      {"replace", "{% set a = 'x' * 1000000 %}{{ a|replace('x', a) }}", "builds more than"},
      {"joined", "{% set a = 'x' * 1000000 %}{{ range(100000)|join(a) }}", "builds more than"},
      {"indented", "{{ 'a\nb'|indent(9999999999) }}", "builds more than"},
      {"slow searches", "{% set a = 'a' * 5000000 %}{% for i in range(100000) %}{{ 'b' in a }}{% endfor %}",
       "does not end within"},
      {"endless macro", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested more than"},
      {"self-holding list", "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}", "nested more than"},
      {"doubling list",
       "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
       "steps"},
      {"parentheses", "{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}", "nested more than"},
      {"brackets", "{{ " + repeated("[", 5000) + repeated("]", 5000) + " }}", "nested more than"},
      {"long sum", "{{ 1" + repeated(" + 1", 100000) + " }}", "nested more than"},
      {"long path", "{{ a" + repeated(".a", 100000) + " }}", "nested more than"},
      {"many filters", "{{ a" + repeated("|trim", 100000) + " }}", "nested more than"},
      {"many signs", "{{ " + repeated("-", 100000) + "1 }}", "nested more than"},
      {"ternaries", "{{ " + repeated("1 if 1 else ", 50000) + "1 }}", "nested more than"},
      {"nested ifs", repeated("{% if 1 %}", 5000) + repeated("{% endif %}", 5000), "nested more than"},
      {"dicts of calls", "{{ " + repeated("f(x={1:", 3000) + "1" + repeated("})", 3000) + " }}", "nested more than"},
      {"unterminated tag", "{% if true", "does not end"},
      {"unterminated output", "{{ 'x'", "does not end"},
      {"unterminated comment", "{# x", "does not end"},
      {"unterminated block", "{% for x in [] %}", "does not end"},
      {"huge integer", "{{ 99999999999999999999 }}", "does not fit into 64 bits"},
      {"overflow", "{{ 9223372036854775807 + 1 }}", "does not fit into 64 bits"},
      {"power", "{{ 10 ** 99 }}", "does not fit into 64 bits"},
  };
  for (const Hostile& c : cases) {
    const std::string error = error_of(c.source);
    EXPECT_NE(error.find(c.message), std::string::npos) << c.what << ": " << error;
  }
}

TEST(ChatTemplate, EveryPrefixOfATemplateEnds) {
  const std::string source = read_file(data_path("templates/tools.jinja"));
  const Json messages = {{"messages", {{{"role", "user"}, {"content", "x"}}}}};
  for (size_t size = 0; size < source.size(); ++size) (void)render(source.substr(0, size), messages);
}

}  // namespace
}  // namespace tern::text
