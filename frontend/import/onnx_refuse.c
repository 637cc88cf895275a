/* onnx_refuse.c: what pcc cannot import, and which results that spoils.
 *
 * A model may compute more than its training needs. What cannot be imported is noted as a refusal, the results are
 * poisoned, and so is all that is computed from them. Only refusals that a needed output depends on are told. */
#include <string.h>

#include "frontend/import/onnx_model.h"

typedef enum RefusalKind {
    REFUSED_OPERATOR, /* one of the list of unsupported operators */
    REFUSED_TYPE,     /* an input or initializer: no operator */
    REFUSED_ERROR,    /* by a row: of the status and text of its error */
} RefusalKind;

struct Refusal {
    RefusalKind kind;
    ExitStatus status;
    Origin origin;
    const char *text;
    int reached; /* the last search of reach_refusals() that came here */
};

/* Stands for the results of one node. */
typedef struct Poison {
    Value value;     /* first: scopes hold its address */
    int first, last; /* refusals of the node's own: [first, last) */
    Value **sources; /* the poisoned values that it depends on */
    int source_count;
    int reached; /* as in Refusal */
} Poison;

enum { POISONED = -1 }; /* id of its value, which is in no graph */

bool is_poisoned(const Value *value)
{
    return value->id == POISONED;
}

static Poison *poison_of(Value *value)
{
    return (Poison *)(void *)value;
}

/* ---- refusing --------------------------------------------------------------------------------------------------- */

static const char *format_text(Arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static const char *format_text(Arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    const size_t length = (size_t)vsnprintf(NULL, 0, format, arguments);
    char *text = arena_alloc(arena, length + 1);
    vsnprintf(text, length + 1, format, again);
    va_end(again);
    return text;
}

static void add_refusal(Import *import, Refusal refusal)
{
    APPEND(import->arena, import->refusals, import->refusal_count, refusal);
}

void unsupported(Import *import, Origin origin, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = format_text(import->arena, format, arguments);
    va_end(arguments);
    add_refusal(import, (Refusal){REFUSED_OPERATOR, EXIT_STATUS_UNSUPPORTED, origin, text, 0});
}

Value *unsupported_type(Import *import, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = format_text(import->arena, format, arguments);
    va_end(arguments);
    add_refusal(import, (Refusal){REFUSED_TYPE, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN, text, 0});
    return poison(import, import->refusal_count - 1, 0, NULL);
}

/* The WithheldErrors that context is: the text lives for this call only. */
static void withhold(void *context, Origin origin, ExitStatus status, const char *text)
{
    WithheldErrors *list = context;
    APPEND(list->arena, list->items, list->count,
           ((WithheldError){origin, status, arena_strndup(list->arena, text, strlen(text))}));
}

Attempt begin_attempt(Import *import)
{
    Diagnostics *d = import->diagnostics;
    Attempt attempt = {NEW(import->arena, WithheldErrors), d->error_count, import->refusal_count};
    attempt.errors->arena = import->arena;
    d->withhold = withhold;
    d->withhold_context = attempt.errors;
    return attempt;
}

bool end_attempt(Import *import, const Attempt *attempt)
{
    Diagnostics *d = import->diagnostics;
    d->withhold = NULL;
    d->error_count = attempt->error_count;
    for (int i = 0; i < attempt->errors->count; i++) {
        const WithheldError *item = &attempt->errors->items[i];
        add_refusal(import, (Refusal){REFUSED_ERROR, item->status, item->origin, item->text, 0});
    }
    return import->refusal_count == attempt->first;
}

/* ---- poison ----------------------------------------------------------------------------------------------------- */

Value *poison(Import *import, int first, size_t count, Value *const *causes)
{
    Poison *result = NEW(import->arena, Poison);
    *result = (Poison){.value = {.id = POISONED}, .first = first, .last = import->refusal_count};
    result->sources = NEW_ARRAY(import->arena, Value *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (causes[i] && is_poisoned(causes[i])) {
            result->sources[result->source_count++] = causes[i];
        }
    }
    return &result->value;
}

/* ---- telling ---------------------------------------------------------------------------------------------------- */

/* Finds the refusals that these values depend on, depth-first, each poison once: their `reached` is the number of this
 * search. */
static void reach_refusals(Import *import, size_t count, Value *const *values)
{
    Value **stack = NULL;
    int depth = 0, search = ++import->refusal_searches;
    for (size_t i = 0; i < count; i++) {
        APPEND(import->arena, stack, depth, values[i]);
    }
    while (depth > 0) {
        Poison *poison = poison_of(stack[--depth]);
        if (poison->reached == search) {
            continue;
        }
        poison->reached = search;
        for (int i = poison->first; i < poison->last; i++) {
            import->refusals[i].reached = search;
        }
        for (int i = 0; i < poison->source_count; i++) {
            APPEND(import->arena, stack, depth, poison->sources[i]);
        }
    }
}

static bool is_reached(const Import *import, const Refusal *refusal)
{
    return refusal->reached == import->refusal_searches;
}

/* "\n  node 'NAME' (WHAT)", or without a node's name. */
static int print_item(char *to, size_t size, const Refusal *item)
{
    const char *node = item->origin.node;
    return snprintf(to, size, "\n  %s%s%s%s%s", node ? "node '" : "", node ? node : "", node ? "' (" : "", item->text,
                    node ? ")" : "");
}

/* For people: one message with the list. */
static void report_list(Import *import, int count, const Refusal *const *items)
{
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        length += (size_t)print_item(NULL, 0, items[i]);
    }
    char *list = arena_alloc(import->arena, length + 1), *end = list;
    for (int i = 0; i < count; i++) {
        end += print_item(end, length + 1 - (size_t)(end - list), items[i]);
    }
    error(import->diagnostics, EXIT_STATUS_UNSUPPORTED, NO_ORIGIN, "%d unsupported operator%s:%s", count,
          count == 1 ? "" : "s", list);
}

void report_refusals(Import *import, size_t count, Value *const *values)
{
    const Refusal **operators = NULL;
    int operator_count = 0;
    reach_refusals(import, count, values);
    for (int i = 0; i < import->refusal_count; i++) {
        const Refusal *item = &import->refusals[i];
        if (!is_reached(import, item)) {
            continue;
        }
        if (item->kind != REFUSED_OPERATOR) {
            error(import->diagnostics, item->status, item->origin, "%s", item->text);
        } else if (import->diagnostics->json) { /* for tools: an object each */
            error(import->diagnostics, item->status, item->origin, "unsupported: %s", item->text);
        } else {
            APPEND(import->arena, operators, operator_count, item);
        }
    }
    if (operator_count > 0) {
        report_list(import, operator_count, operators);
    }
}

const char *last_refusal(const Import *import)
{
    return import->refusals[import->refusal_count - 1].text;
}

/* "node 'afe' (ArrayFeatureExtractor, domain ai.onnx.ml) is not supported", and how many more there are. */
const char *refusal_summary(Import *import, Value *poisoned)
{
    const Refusal *first = NULL;
    int more = -1;
    reach_refusals(import, 1, &poisoned);
    for (int i = 0; i < import->refusal_count; i++) {
        const Refusal *item = &import->refusals[i];
        first = !first && is_reached(import, item) ? item : first;
        more += is_reached(import, item);
    }
    const char *node = first->origin.node, *op = first->origin.op, *text = first->text;
    text = first->kind == REFUSED_TYPE || !node ? text
           : first->kind == REFUSED_OPERATOR
               ? arena_printf(import->arena, "node '%s' (%s) is not supported", node, text)
               : arena_printf(import->arena, "node '%s' (%s): %s", node, op ? op : "?", text);
    return more ? arena_printf(import->arena, "%s (and %d more)", text, more) : text;
}
