/* parse.c: reads the text form that text.c describes. A node's types may be left out: they are inferred; where they
 * stand, they must be the inferred ones, so that what was parsed can be evaluated safely. */
#include "ir/text/lex.h"

#include <string.h>

enum { MAX_DEPTH = 8 /* of bodies */, MAX_OPERANDS = 1 << 16 };

typedef struct Parser {
    Lexer lexer;
    DataLookup lookup;
    void *context;
    int depth;
} Parser;

/* What an id stands for where it is defined. */
typedef struct Definition {
    bool absent; /* _ */
    int id;
    const char *name;
    bool has_type;
    Type type;
    int base; /* of its view, or -1 */
    View view;
} Definition;

/* Bases of views may be defined after the view: resolved at the end of the graph. */
typedef struct PendingView {
    struct PendingView *next;
    Value *value;
    int base;
} PendingView;

static Graph *parse_graph(Parser *p);

/* ---- values ---------------------------------------------------------------------------------------------------- */

static Value *find_value(Parser *p, const Graph *graph, int id)
{
    if (id < graph->value_count && graph->values[id])
        return graph->values[id];
    lex_error(&p->lexer, EXIT_STATUS_INPUT, "%%%d is not defined", id);
    return NULL;
}

static Value *parse_use(Parser *p, const Graph *graph)
{
    return find_value(p, graph, lex_id(&p->lexer));
}

static void make_room(Graph *graph, int id)
{
    if (id >= graph->value_capacity) {
        int capacity = graph->value_capacity ? graph->value_capacity : 64;
        while (capacity <= id)
            capacity *= 2;
        Value **larger = NEW_ARRAY(graph->arena, Value *, capacity);
        if (graph->value_count)
            memcpy(larger, graph->values, (size_t)graph->value_count * sizeof *larger);
        graph->values = larger;
        graph->value_capacity = capacity;
    }
    if (id >= graph->value_count)
        graph->value_count = id + 1;
}

/* NULL after an error. */
static Value *define(Parser *p, Graph *graph, const Definition *definition, ValueKind kind, PendingView **pending)
{
    if (p->lexer.failed)
        return NULL;
    make_room(graph, definition->id);
    if (graph->values[definition->id]) {
        lex_error(&p->lexer, EXIT_STATUS_INPUT, "%%%d is defined twice", definition->id);
        return NULL;
    }
    Value *value = NEW(graph->arena, Value);
    value->id = definition->id;
    value->kind = kind;
    value->type = definition->type;
    value->name = definition->name;
    graph->values[value->id] = value;
    if (definition->base >= 0) {
        value->view = definition->view;
        PendingView *view = NEW(graph->arena, PendingView);
        *view = (PendingView){*pending, value, definition->base};
        *pending = view;
    }
    return value;
}

static void resolve_views(Parser *p, const Graph *graph, const PendingView *pending)
{
    for (; pending && !p->lexer.failed; pending = pending->next)
        pending->value->view.base = find_value(p, graph, pending->base);
    for (int id = 0; id < graph->value_count && !p->lexer.failed; id++)
        if (graph->values[id] && !view_fits(graph->values[id]))
            lex_error(&p->lexer, EXIT_STATUS_INPUT, "the view of %%%d does not fit into its base", id);
}

static Type parse_type(Parser *p)
{
    Lexer *lexer = &p->lexer;
    Type type = {0};
    const char *name = lex_word(lexer, "a dtype");
    if (!lexer->failed && !dtype_from_name(name, strlen(name), &type.dtype))
        lex_error(lexer, EXIT_STATUS_INPUT, "'%s' is not a dtype", name);
    lex_expect(lexer, '[');
    while (!lexer->failed && lex_peek(lexer) != ']') {
        if (type.rank == MAX_RANK)
            lex_error(lexer, EXIT_STATUS_INPUT, "a type has at most %d dimensions", MAX_RANK);
        else
            type.dims[type.rank++] = lex_int(lexer);
        if (!lex_accept(lexer, ','))
            break;
    }
    lex_expect(lexer, ']');
    if (!lexer->failed && !type_is_valid(&type))
        lex_error(lexer, EXIT_STATUS_INPUT, "a dimension is negative, or the type too large");
    return lexer->failed ? (Type){0} : type;
}

static void parse_view(Parser *p, Definition *definition)
{
    Lexer *lexer = &p->lexer;
    lex_expect(lexer, '(');
    definition->base = lex_id(lexer);
    lex_expect(lexer, ',');
    definition->view.offset = lex_int(lexer);
    lex_expect(lexer, ',');
    lex_expect(lexer, '[');
    for (int axis = 0; axis < definition->type.rank; axis++) {
        if (axis)
            lex_expect(lexer, ',');
        definition->view.strides[axis] = lex_int(lexer);
    }
    lex_expect(lexer, ']');
    lex_expect(lexer, ')');
}

/* %5 "name" : f32[2,3] view(%1, 6, [3, 1]), the parts behind the id optional; or _ */
static Definition parse_definition(Parser *p)
{
    Definition definition = {.base = -1};
    if (lex_accept_word(&p->lexer, "_")) {
        definition.absent = true;
        return definition;
    }
    definition.id = lex_id(&p->lexer);
    if (lex_peek(&p->lexer) == '"')
        definition.name = lex_string(&p->lexer);
    if (lex_accept(&p->lexer, ':')) {
        definition.type = parse_type(p);
        definition.has_type = true;
        if (lex_accept_word(&p->lexer, "view"))
            parse_view(p, &definition);
    }
    return definition;
}

/* {1, 2, 3}: the list may end early or late in a hostile text, but grows no faster than the text. */
static const void *parse_contents(Parser *p, const Type *type)
{
    Lexer *lexer = &p->lexer;
    int64_t count = element_count(type), parsed = 0;
    if (count > lexer->end - lexer->position) {
        lex_error(lexer, EXIT_STATUS_INPUT, "expected %lld elements", (long long)count);
        return NULL;
    }
    Tensor tensor = tensor_alloc(lexer->arena, *type);
    lex_expect(lexer, '{');
    for (; parsed < count && !lexer->failed; parsed++) {
        if (parsed)
            lex_expect(lexer, ',');
        if (tensor.f)
            tensor.f[parsed] = lex_float(lexer);
        else
            tensor.i[parsed] = type->dtype == DTYPE_U64 ? lex_u64(lexer) : lex_int(lexer);
    }
    lex_expect(lexer, '}');
    return tensor_to_data(lexer->arena, &tensor);
}

static void parse_data(Parser *p, Value *value)
{
    if (lex_accept_word(&p->lexer, "data")) {
        const char *key = value->name ? value->name : arena_printf(p->lexer.arena, "%%%d", value->id);
        value->data = p->lookup ? p->lookup(p->context, key, &value->type) : NULL;
    } else {
        value->data = parse_contents(p, &value->type);
    }
}

static void parse_value(Parser *p, Graph *graph, ValueKind kind, PendingView **pending)
{
    Definition definition = parse_definition(p);
    if (!definition.has_type)
        lex_error(&p->lexer, EXIT_STATUS_INPUT, "the value needs a type");
    Value *value = define(p, graph, &definition, kind, pending);
    if (!value)
        return;
    if (kind == VALUE_INPUT)
        graph_add_input(graph, value);
    else if (kind == VALUE_TARGET && graph->target)
        lex_error(&p->lexer, EXIT_STATUS_INPUT, "the graph has a target already");
    else if (kind == VALUE_TARGET)
        graph->target = value;
    else if (lex_accept(&p->lexer, '='))
        parse_data(p, value);
}

/* copy %7 : bf16[64,10] of %3 */
static void parse_copy(Parser *p, Graph *graph, PendingView **pending)
{
    Definition definition = parse_definition(p);
    if (!definition.has_type || !lex_accept_word(&p->lexer, "of"))
        lex_error(&p->lexer, EXIT_STATUS_INPUT, "expected the copy's type, then 'of' and its parameter");
    Value *of = parse_use(p, graph), *value = define(p, graph, &definition, VALUE_COPY, pending);
    if (value)
        value->copy_of = of;
}

/* ---- attributes ------------------------------------------------------------------------------------------------ */

static void parse_int_list(Parser *p, Graph *graph, Node *node, const char *name)
{
    int64_t *values = NULL;
    int count = 0;
    lex_expect(&p->lexer, '[');
    while (!p->lexer.failed && lex_peek(&p->lexer) != ']') {
        APPEND(graph->arena, values, count, lex_int(&p->lexer));
        if (!lex_accept(&p->lexer, ','))
            break;
    }
    lex_expect(&p->lexer, ']');
    set_ints(graph, node, name, count, values);
}

static void parse_float_list(Parser *p, Graph *graph, Node *node, const char *name)
{
    double *values = NULL;
    int count = 0;
    lex_expect(&p->lexer, '[');
    while (!p->lexer.failed && lex_peek(&p->lexer) != ']') {
        APPEND(graph->arena, values, count, lex_float(&p->lexer));
        if (!lex_accept(&p->lexer, ','))
            break;
    }
    lex_expect(&p->lexer, ']');
    set_floats(graph, node, name, count, values);
}

/* A float's spelling has a point, an exponent, or is inf or nan. */
static void parse_number_attr(Parser *p, Graph *graph, Node *node, const char *name)
{
    Lexer *lexer = &p->lexer;
    Lexer start = *lexer;
    const char *spelling = lex_number(lexer);
    if (lexer->failed)
        return;
    *lexer = start;
    if (strpbrk(spelling, ".exn"))
        set_float(graph, node, name, lex_float(lexer));
    else
        set_int(graph, node, name, lex_int(lexer));
}

static void parse_attrs(Parser *p, Graph *graph, Node *node)
{
    do {
        const char *name = lex_word(&p->lexer, "an attribute");
        lex_expect(&p->lexer, '=');
        if (has_attr(node, name))
            lex_error(&p->lexer, EXIT_STATUS_INPUT, "attribute '%s' is given twice", name);
        char next = lex_peek(&p->lexer);
        if (next == '"')
            set_string(graph, node, name, lex_string(&p->lexer));
        else if (next == '[')
            parse_int_list(p, graph, node, name);
        else if (lex_accept_word(&p->lexer, "floats"))
            parse_float_list(p, graph, node, name);
        else
            parse_number_attr(p, graph, node, name);
    } while (lex_accept(&p->lexer, ','));
    lex_expect(&p->lexer, '}');
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static const Op *parse_op(Parser *p)
{
    const char *name = lex_word(&p->lexer, "an operator");
    const Op *op = find_op(name, strlen(name));
    if (op || p->lexer.failed)
        return op;
    int count = op_count();
    const char **known = NEW_ARRAY(p->lexer.arena, const char *, count);
    for (int i = 0; i < count; i++)
        known[i] = op_at(i)->name;
    const char *near = did_you_mean(name, known, count);
    lex_error(&p->lexer, EXIT_STATUS_UNSUPPORTED, "unknown operator '%s'%s%s%s", name, near ? "; did you mean '" : "",
              near ? near : "", near ? "'?" : "");
    return NULL;
}

/* (%1, _, %3); returns their number. */
static int parse_operands(Parser *p, const Graph *graph, Value ***operands)
{
    Lexer *lexer = &p->lexer;
    Value **values = NULL;
    int count = 0;
    lex_expect(lexer, '(');
    while (!lexer->failed && lex_peek(lexer) != ')') {
        Value *operand = lex_accept_word(lexer, "_") ? NULL : parse_use(p, graph);
        APPEND(graph->arena, values, count, operand);
        if (count == MAX_OPERANDS)
            lex_error(lexer, EXIT_STATUS_INPUT, "a node has at most %d operands", MAX_OPERANDS);
        if (!lex_accept(lexer, ','))
            break;
    }
    lex_expect(lexer, ')');
    *operands = values;
    return count;
}

static const char *parse_optional_string(Parser *p)
{
    return lex_accept_word(&p->lexer, "_") ? NULL : lex_string(&p->lexer);
}

/* Messages of a row say where in the text its node is. */
static void infer_parsed(Parser *p, Graph *graph, Node *node, const Definition *definitions)
{
    Diagnostics *d = graph->diagnostics;
    const char *file = d->file;
    d->file = lex_place(&p->lexer);
    bool inferred = infer_node(graph, node);
    d->file = file;
    if (!inferred) {
        lex_stop(&p->lexer);
        return;
    }
    for (int i = 0; i < node->output_count; i++) {
        const Definition *declared = &definitions[i];
        if (declared->absent || !declared->has_type || same_type(&declared->type, &node->outputs[i]->type))
            continue;
        lex_error(&p->lexer, EXIT_STATUS_INPUT, "%%%d is declared %s, but is %s", declared->id,
                  type_text(graph->arena, &declared->type), type_text(graph->arena, &node->outputs[i]->type));
    }
}

static void parse_body(Parser *p, Node *node)
{
    lex_expect(&p->lexer, '{');
    if (++p->depth > MAX_DEPTH)
        lex_error(&p->lexer, EXIT_STATUS_INPUT, "bodies nest deeper than %d", MAX_DEPTH);
    else
        node->body = parse_graph(p);
    p->depth--;
    lex_expect(&p->lexer, '}');
}

/* The outputs in front of `=`; returns their number. */
static int parse_results(Parser *p, Definition **definitions)
{
    Definition *list = NULL;
    int count = 0;
    if (lex_peek(&p->lexer) == '=') {
        *definitions = NULL;
        return 0;
    }
    do {
        APPEND(p->lexer.arena, list, count, parse_definition(p));
        if (count == MAX_OPERANDS)
            lex_error(&p->lexer, EXIT_STATUS_INPUT, "a node has at most %d results", MAX_OPERANDS);
    } while (lex_accept(&p->lexer, ','));
    *definitions = list;
    return count;
}

static void parse_node(Parser *p, Graph *graph, PendingView **pending)
{
    Definition *definitions;
    Value **operands;
    int output_count = parse_results(p, &definitions);
    lex_expect(&p->lexer, '=');
    const Op *op = parse_op(p);
    int input_count = parse_operands(p, graph, &operands);
    if (p->lexer.failed)
        return;
    Node *node = node_create(graph, op, input_count, operands, 0);
    if (lex_accept(&p->lexer, '{'))
        parse_attrs(p, graph, node);
    if (lex_accept(&p->lexer, '@')) {
        node->origin.node = parse_optional_string(p);
        node->origin.op = parse_optional_string(p);
    }
    if (lex_accept_word(&p->lexer, "body"))
        parse_body(p, node);
    node->output_count = output_count;
    node->outputs = NEW_ARRAY(graph->arena, Value *, output_count);
    for (int i = 0; i < output_count && !p->lexer.failed; i++) {
        if (definitions[i].absent)
            continue;
        node->outputs[i] = define(p, graph, &definitions[i], VALUE_TEMP, pending);
        if (node->outputs[i])
            node->outputs[i]->producer = node;
    }
    if (!p->lexer.failed)
        infer_parsed(p, graph, node, definitions);
}

/* ---- graphs ---------------------------------------------------------------------------------------------------- */

static void parse_output(Parser *p, Graph *graph)
{
    Value *value = parse_use(p, graph);
    if (!value)
        return;
    graph_add_output(graph, value);
    const char **name = &graph->output_names[graph->output_count - 1];
    if (lex_accept_word(&p->lexer, "_"))
        *name = NULL;
    else if (lex_peek(&p->lexer) == '"')
        *name = lex_string(&p->lexer);
    if (lex_accept_word(&p->lexer, "scored"))
        graph->loss_output = graph->output_count - 1;
}

static void parse_binding(Parser *p, Graph *graph, void (*add)(Graph *, Value *, Value *))
{
    Value *target = parse_use(p, graph);
    lex_expect(&p->lexer, '=');
    Value *value = parse_use(p, graph);
    if (!p->lexer.failed)
        add(graph, target, value);
}

static void parse_statement(Parser *p, Graph *graph, PendingView **pending)
{
    Lexer *lexer = &p->lexer;
    if (lex_accept_word(lexer, "input")) {
        parse_value(p, graph, VALUE_INPUT, pending);
    } else if (lex_accept_word(lexer, "target")) {
        parse_value(p, graph, VALUE_TARGET, pending);
    } else if (lex_accept_word(lexer, "param")) {
        parse_value(p, graph, VALUE_PARAM, pending);
    } else if (lex_accept_word(lexer, "state")) {
        parse_value(p, graph, VALUE_STATE, pending);
    } else if (lex_accept_word(lexer, "const")) {
        parse_value(p, graph, VALUE_CONST, pending);
    } else if (lex_accept_word(lexer, "copy")) {
        parse_copy(p, graph, pending);
    } else if (lex_accept_word(lexer, "output")) {
        parse_output(p, graph);
    } else if (lex_accept_word(lexer, "batch")) {
        graph->batch = lex_int(lexer);
    } else if (lex_accept_word(lexer, "loss")) {
        graph->loss = parse_use(p, graph);
    } else if (lex_accept_word(lexer, "gradient")) {
        parse_binding(p, graph, graph_add_gradient);
    } else if (lex_accept_word(lexer, "update")) {
        parse_binding(p, graph, graph_add_update);
    } else {
        parse_node(p, graph, pending);
    }
}

/* Up to the end of the text or, in a body, to its closing brace. */
static Graph *parse_graph(Parser *p)
{
    Lexer *lexer = &p->lexer;
    if (!lex_accept_word(lexer, "graph"))
        lex_error(lexer, EXIT_STATUS_INPUT, "expected 'graph \"name\" stage \"pass\"'");
    Graph *graph = graph_create(lexer->arena, lexer->diagnostics, lex_string(lexer));
    if (!lex_accept_word(lexer, "stage"))
        lex_error(lexer, EXIT_STATUS_INPUT, "expected 'stage'");
    graph->stage = lex_string(lexer);
    PendingView *pending = NULL;
    while (!lex_at_end(lexer) && !(p->depth && lex_peek(lexer) == '}'))
        parse_statement(p, graph, &pending);
    if (!lexer->failed)
        resolve_views(p, graph, pending);
    return graph;
}

Graph *graph_parse(Arena *arena, Diagnostics *diagnostics, const char *file, const char *text, size_t length,
                   DataLookup lookup, void *context)
{
    Parser parser = {
        .lexer = {.arena = arena,
                  .diagnostics = diagnostics,
                  .file = file,
                  .position = text,
                  .end = text + length,
                  .line = 1},
        .lookup = lookup,
        .context = context,
    };
    Graph *graph = parse_graph(&parser);
    return parser.lexer.failed ? NULL : graph;
}
