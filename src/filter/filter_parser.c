// SPDX-License-Identifier: GPL-2.0-or-later
/* The parser of the filter language.
 *
 *     or      = and { ("or" | "||") and }
 *     and     = not { ("and" | "&&") not }
 *     not     = ("not" | "!") not | "(" or ")" | FIELD | FIELD [OPERATOR] values
 *     values  = VALUE { "," VALUE } | "{" VALUE { [","] VALUE } "}"
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "src/filter/filter_tree.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_COMMA,
	TOKEN_OPEN_SET,
	TOKEN_CLOSE_SET,
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_NOT,
	TOKEN_OPERATOR,
	TOKEN_WRONG,
};

struct parser {
	const char *text;
	size_t at; /* behind the current token */
	struct filter_error *error;
	char *word; /* of the current token, without quotes; as long as the text */
	enum token_kind kind;
	enum filter_operator relation;
	size_t begin, end; /* of the current token */
	bool is_quoted;
	bool in_comparison; /* behind its field */
	unsigned int conditions, depth;
};

/* ---- tokens ---- */

static const struct {
	const char *text;
	enum token_kind kind;
	enum filter_operator relation;
} signs[] = {
	{ "&&", TOKEN_AND, 0 },
	{ "||", TOKEN_OR, 0 },
	{ "!=", TOKEN_OPERATOR, FILTER_UNEQUAL },
	{ "!~", TOKEN_OPERATOR, FILTER_MATCHES_NOT },
	{ "==", TOKEN_OPERATOR, FILTER_EQUAL },
	{ "=~", TOKEN_OPERATOR, FILTER_MATCHES },
	{ "<>", TOKEN_OPERATOR, FILTER_UNEQUAL },
	{ "<=", TOKEN_OPERATOR, FILTER_AT_MOST },
	{ ">=", TOKEN_OPERATOR, FILTER_AT_LEAST },
	{ "=", TOKEN_OPERATOR, FILTER_EQUAL },
	{ "<", TOKEN_OPERATOR, FILTER_LESS },
	{ ">", TOKEN_OPERATOR, FILTER_GREATER },
	{ "~", TOKEN_OPERATOR, FILTER_MATCHES },
	{ "!", TOKEN_NOT, 0 },
	{ "(", TOKEN_OPEN, 0 },
	{ ")", TOKEN_CLOSE, 0 },
	{ ",", TOKEN_COMMA, 0 },
	{ "{", TOKEN_OPEN_SET, 0 },
	{ "}", TOKEN_CLOSE_SET, 0 },
};

static const struct {
	const char *text;
	enum token_kind kind;
	enum filter_operator relation;
} keywords[] = {
	{ "and", TOKEN_AND, 0 },
	{ "or", TOKEN_OR, 0 },
	{ "not", TOKEN_NOT, 0 },
	{ "eq", TOKEN_OPERATOR, FILTER_EQUAL },
	{ "ne", TOKEN_OPERATOR, FILTER_UNEQUAL },
	{ "lt", TOKEN_OPERATOR, FILTER_LESS },
	{ "le", TOKEN_OPERATOR, FILTER_AT_MOST },
	{ "gt", TOKEN_OPERATOR, FILTER_GREATER },
	{ "ge", TOKEN_OPERATOR, FILTER_AT_LEAST },
	{ "matches", TOKEN_OPERATOR, FILTER_MATCHES },
	{ "contains", TOKEN_OPERATOR, FILTER_CONTAINS },
	{ "in", TOKEN_OPERATOR, FILTER_EQUAL },
};

static bool fail_at(struct parser *parser, size_t begin, size_t end)
{
	parser->error->begin = begin;
	parser->error->end = end > begin ? end : begin + 1;
	parser->kind = TOKEN_WRONG;
	return false;
}

/* filter_fail() at the current token. */
#define FAIL_HERE(parser, ...) \
	(filter_fail((parser)->error, __VA_ARGS__), fail_at((parser), (parser)->begin, (parser)->end))

static bool take_sign(struct parser *parser)
{
	size_t i;

	for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		size_t size = strlen(signs[i].text);

		if (strncmp(parser->text + parser->at, signs[i].text, size))
			continue;
		parser->at += size;
		parser->kind = signs[i].kind;
		parser->relation = signs[i].relation;
		return true;
	}
	return false;
}

/* A backslash keeps the quotation mark or the backslash behind it. */
static bool take_quoted(struct parser *parser)
{
	char mark = parser->text[parser->at++], *out = parser->word;

	while (parser->text[parser->at] && parser->text[parser->at] != mark) {
		if (parser->text[parser->at] == '\\' &&
		    (parser->text[parser->at + 1] == mark || parser->text[parser->at + 1] == '\\'))
			parser->at++;
		*out++ = parser->text[parser->at++];
	}
	*out = '\0';
	parser->kind = TOKEN_WORD;
	parser->is_quoted = true;
	if (parser->text[parser->at]) {
		parser->at++;
		return true;
	}
	filter_fail(parser->error, "the closing %c is missing", mark);
	return fail_at(parser, parser->begin, parser->at);
}

static void take_keyword(struct parser *parser)
{
	size_t i;

	parser->kind = TOKEN_WORD;
	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strcasecmp(parser->word, keywords[i].text))
			continue;
		parser->kind = keywords[i].kind;
		parser->relation = keywords[i].relation;
	}
}

static void skip_space(struct parser *parser)
{
	while (isspace((unsigned char)parser->text[parser->at]))
		parser->at++;
	parser->begin = parser->at;
	parser->is_quoted = false;
}

static void copy_word(struct parser *parser)
{
	size_t size = parser->at - parser->begin;

	memcpy(parser->word, parser->text + parser->begin, size);
	parser->word[size] = '\0';
}

/* An = that ends a value is a part of it: a Community ID ends with one. */
static bool is_end_of_value(const struct parser *parser)
{
	const char *rest = parser->text + parser->at;

	rest += strspn(rest, "=");
	return parser->in_comparison && rest > parser->text + parser->at &&
	       (!*rest || isspace((unsigned char)*rest) || strchr(",)}", *rest));
}

static bool is_in_word(const struct parser *parser)
{
	const char *rest = parser->text + parser->at;

	if (*rest == '=')
		return is_end_of_value(parser);
	return *rest && !isspace((unsigned char)*rest) && !strchr("()!<>~,{}\"'", *rest) && strncmp(rest, "&&", 2) &&
	       strncmp(rest, "||", 2);
}

static void take_word(struct parser *parser)
{
	while (is_in_word(parser))
		parser->at++;
	copy_word(parser);
}

static bool next(struct parser *parser)
{
	if (parser->kind == TOKEN_WRONG)
		return false;
	skip_space(parser);
	if (!parser->text[parser->at]) {
		parser->kind = TOKEN_END;
	} else if (parser->text[parser->at] == '"' || parser->text[parser->at] == '\'') {
		if (!take_quoted(parser))
			return false;
	} else if (!take_sign(parser)) {
		take_word(parser);
		take_keyword(parser);
	}
	parser->end = parser->at;
	return true;
}

/* A regular expression without quotes ends at the next space, or at a parenthesis that it does not open. */
static bool next_pattern(struct parser *parser)
{
	unsigned int open = 0;

	skip_space(parser);
	if (parser->text[parser->at] == '"' || parser->text[parser->at] == '\'')
		return next(parser);
	while (parser->text[parser->at] && !isspace((unsigned char)parser->text[parser->at])) {
		char byte = parser->text[parser->at];

		if (byte == ')' && !open)
			break;
		open += byte == '(';
		open -= byte == ')';
		parser->at++;
	}
	copy_word(parser);
	parser->kind = parser->at > parser->begin ? TOKEN_WORD : TOKEN_END;
	parser->end = parser->at;
	return true;
}

/* ---- conditions ---- */

static struct filter_node *parse_or(struct parser *parser);
static struct filter_node *parse_not(struct parser *parser);

static struct filter_node *new_node(struct parser *parser, enum filter_kind kind)
{
	struct filter_node *node;

	if (kind == FILTER_COMPARE && parser->conditions++ == FILTER_MOST_CONDITIONS) {
		FAIL_HERE(parser, "more than %d conditions", FILTER_MOST_CONDITIONS);
		return NULL;
	}
	node = filter_node_new(kind);
	if (node)
		return node;
	filter_fail_for_memory(parser->error);
	fail_at(parser, parser->begin, parser->end);
	return NULL;
}

static bool ends_condition(enum token_kind kind)
{
	return kind == TOKEN_END || kind == TOKEN_CLOSE || kind == TOKEN_AND || kind == TOKEN_OR;
}

static bool fail_unknown_field(struct parser *parser)
{
	char nearest[FIELD_KEY_SIZE];

	if (filter_field_find_nearest(parser->word, nearest))
		return FAIL_HERE(parser, "'%.60s' is no field; nearest: %s", parser->word, nearest);
	return FAIL_HERE(parser, "'%.60s' is no field", parser->word);
}

/* In tcpdump's words, `src port 80` is sport, `dst net 10.0.0.0/8` is dst. */
static bool take_direction(struct parser *parser, struct filter_field *field)
{
	bool is_src = !strcmp(field->name, "src"), is_port;

	if (parser->kind != TOKEN_WORD || parser->is_quoted || (!is_src && strcmp(field->name, "dst")))
		return true;
	is_port = !strcmp(parser->word, "port") || !strcmp(parser->word, "portrange");
	if (!is_port && strcmp(parser->word, "host") && strcmp(parser->word, "net"))
		return true;
	if (is_port)
		filter_field_find(is_src ? "sport" : "dport", field);
	return next(parser);
}

static bool fail_value(struct parser *parser, const char *field)
{
	if (parser->kind == TOKEN_NOT)
		return FAIL_HERE(parser, "a value of %s is missing; not comes before the field: not %s ...", field,
				 field);
	if (parser->kind == TOKEN_WORD || parser->kind == TOKEN_OPERATOR || parser->kind == TOKEN_AND ||
	    parser->kind == TOKEN_OR)
		return FAIL_HERE(parser,
				 "a value of %s is missing; write a value that is a word of the language in "
				 "quotation marks",
				 field);
	return parser->kind != TOKEN_WRONG && FAIL_HERE(parser, "a value of %s is missing", field);
}

static bool parse_one_value(struct parser *parser, struct filter_node *node)
{
	if (parser->kind != TOKEN_WORD)
		return fail_value(parser, node->field.name);
	if (!filter_parse_value(node, parser->word, parser->is_quoted, parser->error))
		return fail_at(parser, parser->begin, parser->end);
	return next(parser);
}

/* Wireshark's sets: in {80, 443}, in {80 443}. */
static bool parse_set(struct parser *parser, struct filter_node *node)
{
	if (!next(parser) || !parse_one_value(parser, node))
		return false;
	while (parser->kind == TOKEN_COMMA || parser->kind == TOKEN_WORD) {
		if (parser->kind == TOKEN_COMMA && !next(parser))
			return false;
		if (!parse_one_value(parser, node))
			return false;
	}
	if (parser->kind == TOKEN_CLOSE_SET)
		return next(parser);
	return parser->kind != TOKEN_WRONG && FAIL_HERE(parser, "the closing } is missing");
}

static bool parse_values(struct parser *parser, struct filter_node *node)
{
	if (parser->kind == TOKEN_OPEN_SET)
		return parse_set(parser, node);
	if (!parse_one_value(parser, node))
		return false;
	while (parser->kind == TOKEN_COMMA)
		if (!next(parser) || !parse_one_value(parser, node))
			return false;
	return parser->kind != TOKEN_WRONG;
}

static bool parse_operator(struct parser *parser, struct filter_node *node)
{
	if (parser->kind != TOKEN_OPERATOR)
		return true;
	node->relation = parser->relation;
	if (!filter_check_operator(node, parser->error))
		return fail_at(parser, parser->begin, parser->end);
	return filter_has_pattern(node) ? next_pattern(parser) : next(parser);
}

static bool parse_known(struct parser *parser, struct filter_node *node)
{
	enum filter_type type = node->field.type;

	node->kind = FILTER_KNOWN;
	if (node->field.is_absent_at_times || type == FILTER_FLAG || type == FILTER_NAMES)
		return true;
	return FAIL_HERE(parser, "a value of %s is missing; every record has one", node->field.name);
}

static bool parse_comparison(struct parser *parser, struct filter_node *node)
{
	if (!filter_field_find(parser->word, &node->field))
		return fail_unknown_field(parser);
	parser->in_comparison = true;
	if (!next(parser) || !take_direction(parser, &node->field))
		return false;
	if (ends_condition(parser->kind))
		return parse_known(parser, node);
	return parse_operator(parser, node) && parse_values(parser, node);
}

static struct filter_node *join(struct parser *parser, enum filter_kind kind, struct filter_node *left,
				struct filter_node *right)
{
	struct filter_node *node = right || kind == FILTER_NOT ? new_node(parser, kind) : NULL;

	if (!node || !left) {
		filter_node_free(node);
		filter_node_free(left);
		filter_node_free(right);
		return NULL;
	}
	node->left = left;
	node->right = right;
	return node;
}

static bool is_protocol_name(const char *word)
{
	return !strcmp(word, "tcp") || !strcmp(word, "ip") || !strcmp(word, "ip6");
}

/* Every connection is one of TCP; `tcp port 80` and `ip6 host fd00::1` need no `and`. */
static bool parse_protocol(struct parser *parser, struct filter_node *node)
{
	if (!is_protocol_name(parser->word))
		return false;
	if (!strcmp(parser->word, "tcp")) {
		node->kind = FILTER_ALWAYS;
		return true;
	}
	return filter_field_find("family", &node->field) &&
	       filter_parse_value(node, strcmp(parser->word, "ip6") ? "ipv4" : "ipv6", true, parser->error);
}

static struct filter_node *parse_word(struct parser *parser)
{
	struct filter_node *node = new_node(parser, FILTER_COMPARE);

	if (!node)
		return NULL;
	if (!parser->is_quoted && parse_protocol(parser, node)) {
		if (next(parser))
			return parser->kind == TOKEN_WORD ? join(parser, FILTER_AND, node, parse_not(parser)) : node;
	} else if (parse_comparison(parser, node)) {
		parser->in_comparison = false;
		return node;
	}
	filter_node_free(node);
	return NULL;
}

static struct filter_node *parse_parentheses(struct parser *parser)
{
	struct filter_node *node;

	if (!next(parser))
		return NULL;
	node = parse_or(parser);
	if (!node)
		return NULL;
	if (parser->kind == TOKEN_CLOSE && next(parser))
		return node;
	if (parser->kind != TOKEN_WRONG)
		FAIL_HERE(parser, "the closing ) is missing");
	filter_node_free(node);
	return NULL;
}

static struct filter_node *parse_not(struct parser *parser)
{
	struct filter_node *node = NULL;

	if (parser->depth++ > FILTER_MOST_DEPTH) {
		FAIL_HERE(parser, "more than %d conditions inside each other", FILTER_MOST_DEPTH);
		return NULL;
	}
	if (parser->kind == TOKEN_NOT)
		node = next(parser) ? join(parser, FILTER_NOT, parse_not(parser), NULL) : NULL;
	else if (parser->kind == TOKEN_OPEN)
		node = parse_parentheses(parser);
	else if (parser->kind == TOKEN_WORD)
		node = parse_word(parser);
	else if (parser->kind != TOKEN_WRONG)
		FAIL_HERE(parser, "a condition is missing: FIELD [OPERATOR] VALUE");
	parser->depth--;
	return node;
}

static struct filter_node *parse_and(struct parser *parser)
{
	struct filter_node *node = parse_not(parser);

	while (node && parser->kind == TOKEN_AND) {
		if (!next(parser))
			return filter_node_free(node), NULL;
		node = join(parser, FILTER_AND, node, parse_not(parser));
	}
	return node;
}

static struct filter_node *parse_or(struct parser *parser)
{
	struct filter_node *node = parse_and(parser);

	while (node && parser->kind == TOKEN_OR) {
		if (!next(parser))
			return filter_node_free(node), NULL;
		node = join(parser, FILTER_OR, node, parse_and(parser));
	}
	return node;
}

static bool check_end(struct parser *parser)
{
	if (parser->kind == TOKEN_END)
		return true;
	if (parser->kind == TOKEN_CLOSE)
		return FAIL_HERE(parser, "no ( comes before this )");
	return FAIL_HERE(parser, "'and' or 'or' is missing before this");
}

bool filter_parse(const char *text, struct filter_node **node, struct filter_error *error)
{
	struct parser parser = { .text = text, .error = error };

	*node = NULL;
	if (strlen(text) > FILTER_MOST_TEXT)
		return filter_fail(error, "longer than %d bytes", FILTER_MOST_TEXT);
	parser.word = malloc(strlen(text) + 1);
	if (!parser.word)
		return filter_fail_for_memory(error);
	if (next(&parser))
		*node = parse_or(&parser);
	if (*node && !check_end(&parser)) {
		filter_node_free(*node);
		*node = NULL;
	}
	free(parser.word);
	return *node;
}

bool filter_can_begin(const char *word)
{
	struct filter_error error;
	struct filter_field field;
	struct parser parser = { .text = word, .error = &error, .word = strdup(word) };
	bool can = false;

	if (parser.word && next(&parser))
		can = parser.kind == TOKEN_NOT || parser.kind == TOKEN_OPEN ||
		      (parser.kind == TOKEN_WORD &&
		       (is_protocol_name(parser.word) || filter_field_find(parser.word, &field)));
	free(parser.word);
	return can;
}
