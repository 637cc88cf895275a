/* settings.c: the keys of a zoo model. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "models/model.h"

enum { MAX_SIZE = 1 << 24 /* of one key: larger ones are typing errors */ };

const Setting *model_setting(const Model *model, const char *key)
{
    for (int i = 0; i < model->setting_count; i++)
        if (strcmp(model->settings[i].key, key) == 0)
            return &model->settings[i];
    return NULL;
}

int64_t model_size(const Model *model, const char *key)
{
    return model_setting(model, key)->values[0];
}

static const char *quoted_suggestion(Arena *arena, const char *nearest)
{
    return nearest ? arena_printf(arena, "; did you mean '%s'?", nearest) : "";
}

static _Noreturn void unknown_key(const Model *model, const char *key)
{
    const char **keys = NEW_ARRAY(model->arena, const char *, model->setting_count + 1);
    char *list = "";
    for (int i = 0; i < model->setting_count; i++) {
        keys[i] = model->settings[i].key;
        list = arena_printf(model->arena, "%s %s", list, keys[i]);
    }
    keys[model->setting_count] = "seed";
    const char *nearest = did_you_mean(key, keys, model->setting_count + 1);
    fatal(model->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "zoo model '%s' has no key '%s'%s (it has%s seed)",
          model->name, key, quoted_suggestion(model->arena, nearest), list);
}

/* One number of a value, which ends at a comma or the end of the text. */
static int64_t parse_size(const Model *model, const char *key, const char **text)
{
    char *end;
    errno = 0;
    long long value = strtoll(*text, &end, 10);
    if (end == *text || errno || value < 1 || value > MAX_SIZE || (*end && *end != ','))
        fatal(model->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
              "zoo model '%s': key '%s' takes a whole number from 1 to %d, not '%s'", model->name, key, MAX_SIZE,
              *text);
    *text = end;
    return value;
}

static void parse_values(const Model *model, Setting *setting, const char *text)
{
    setting->count = 0;
    for (;;) {
        if (setting->count == (setting->is_list ? MAX_SETTING_VALUES : 1))
            fatal(model->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "zoo model '%s': key '%s' takes at most %d value%s",
                  model->name, setting->key, setting->count, setting->count == 1 ? "" : "s");
        setting->values[setting->count++] = parse_size(model, setting->key, &text);
        if (*text++ == '\0')
            return;
    }
}

static void parse_seed(Model *model, const char *text)
{
    char *end;
    errno = 0;
    model->seed = strtoull(text, &end, 10);
    if (end == text || *end || errno || *text == '-')
        fatal(model->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "'seed' takes a whole number, not '%s'", text);
}

void assign_setting(Model *model, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    if (!equals)
        fatal(model->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN, "expected key=value after 'zoo %s', not '%s'",
              model->name, assignment);
    const char *key = arena_strndup(model->arena, assignment, (size_t)(equals - assignment));
    if (strcmp(key, "seed") == 0) {
        parse_seed(model, equals + 1);
        return;
    }
    Setting *setting = (Setting *)model_setting(model, key);
    if (!setting)
        unknown_key(model, key);
    parse_values(model, setting, equals + 1);
}

char *setting_text(Arena *arena, const Setting *setting)
{
    char *text = arena_printf(arena, "%s=", setting->key);
    for (int i = 0; i < setting->count; i++)
        text = arena_printf(arena, "%s%s%" PRId64, text, i ? "," : "", setting->values[i]);
    return text;
}

void require_multiple(const Model *model, const char *whole, const char *part)
{
    int64_t large = model_size(model, whole), small = model_size(model, part);
    if (large % small != 0)
        fatal(model->diagnostics, EXIT_STATUS_USAGE, NO_ORIGIN,
              "zoo model '%s': %s=%" PRId64 " is not a multiple of %s=%" PRId64, model->name, whole, large, part,
              small);
}
