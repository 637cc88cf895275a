/* verdict.c: does a stored float learn?
 *
 * What the command line says decides, then what the exporter declares, then what the tensor is: exporters fold
 * parameters into tensors with generated names, which must learn, and lift constants under names of the same kind,
 * which must not. What a reader does with the value and what its numbers look like say more than its name. */
#include "ir/text/words.h"
#include "passes/training/trainable.h"

static Verdict learns(const char *reason)
{
    return (Verdict){true, reason};
}

static Verdict is_fixed(const char *reason)
{
    return (Verdict){false, reason};
}

/* Readings of numbers that a program is written with: exponents, epsilons, fillings. NULL: none of them. */
static const char *setting(unsigned readings)
{
    static const struct {
        unsigned reading;
        const char *what;
    } settings[] = {
        {READ_AS(EXPONENT), "an exponent of Pow"},
        {READ_AS(BOUND), "a bound of Clip, Max or Min"},
        {READ_BEFORE_ROOT, "an epsilon, added before a root, a logarithm or a division"},
        {READ_AS(SCATTERED), "one value, scattered or scattered into"},
        {READ_AS(CHOICE), "one value, filled in by Where"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (readings & settings[i].reading)
            return settings[i].what;
    return NULL;
}

/* The readings of what layers are made of. */
static bool is_read_as_weight(unsigned readings)
{
    return readings & (READ_AS(WEIGHT) | READ_AS(TABLE) | READ_AS(SLOPE));
}

static Verdict judge_scalar(const Value *value, unsigned readings, bool others_declared)
{
    const char *what = setting(readings);
    if (is_read_as_weight(readings))
        return learns(readings & READ_AS(SLOPE) ? "the slope of a PRelu" : "read as a weight");
    if (what)
        return is_fixed(what);
    if (is_generated_name(value->name))
        return is_fixed("a lone scalar under a generated name");
    if (others_declared)
        return is_fixed("a lone scalar that the exporter does not declare a parameter");
    if (readings & (READ_AS(FACTOR) | READ_AS(TERM) | READ_AS(GAIN) | READ_AS(SHIFT)))
        return learns("a named scalar that multiplies or is added");
    return is_fixed("a lone scalar that neither multiplies nor is added");
}

/* One number throughout: what code fills in, or a parameter as it starts. NULL: nothing tells which. */
static const char *why_filling(const Value *value, unsigned readings, double filling, bool others_declared)
{
    const bool neutral = ((readings & READ_AS(GAIN)) && filling == 1) || ((readings & READ_AS(SHIFT)) && filling == 0);
    if (setting(readings))
        return setting(readings);
    if (neutral && is_generated_name(value->name))
        return "what exporters fill in under a generated name: a neutral scale or bias, a state of zeros";
    if (is_constant_name(value->name))
        return "a constant by its name: one value";
    if (is_read_as_weight(readings))
        return NULL;
    if (is_tensorflow_constant(value->name) && !(filling == 0 && (readings & READ_AS_BIAS)))
        return "one value, under the name of a TensorFlow operator's constant"; /* not a bias as it starts */
    if (is_generated_name(value->name) && is_empty_mask(value) &&
        (value->type.rank == 4 || (readings & READ_BEFORE_SOFTMAX)))
        return "an attention mask that blocks nothing: zeros for all heads";
    if ((readings & READ_BY_SAMPLE) && (others_declared || is_generated_name(value->name)))
        return "one value, with a row for each sample of the batch";
    if (is_operator_name(value->name))
        return "one value, under the name of the operator that filled it in";
    return others_declared ? "one value that the exporter does not declare a parameter" : NULL;
}

/* Nothing shows that it is a constant. */
static Verdict learns_by_default(const Value *value, unsigned readings, bool others_declared, bool one_value)
{
    if (is_generated_name(value->name))
        return learns(is_read_as_weight(readings) ? "read as a weight, under a generated name"
                      : one_value                 ? "one value, as parameters start, under a generated name"
                                                  : "irregular floats under a generated name");
    if (!others_declared)
        return learns("a named float tensor");
    return learns(one_value ? "read as a weight: one value, as parameters start"
                            : "irregular floats, as of a parameter folded");
}

static Verdict judge_tensor_itself(const Value *value, unsigned readings, bool others_declared)
{
    const int64_t count = element_count(&value->type);
    double filling;
    if (count == 0)
        return is_fixed("empty");
    if (value->data && is_attention_mask(value))
        return is_fixed("an attention mask: only zeros and very negative values");
    if (count == 1)
        return judge_scalar(value, readings, others_declared);
    if (!value->data)
        return learns("a float tensor");
    const bool one_value = has_one_value(value, &filling);
    if (one_value) {
        const char *why = why_filling(value, readings, filling, others_declared);
        if (why)
            return is_fixed(why);
    }
    if (is_sinusoid_table(value))
        return is_fixed("a table of sines or cosines");
    if (is_progression(value))
        return is_fixed("an arithmetic or geometric progression");
    if (is_buffer_name(value->name))
        return is_fixed("a buffer by its name");
    if (is_constant_name(value->name) && !is_read_as_weight(readings) && !(readings & READ_AS_BIAS))
        return is_fixed("a constant by its name, and no weight by its readers");
    return learns_by_default(value, readings, others_declared, one_value);
}

Judge make_judge(const Graph *graph, const Options *options)
{
    return (Judge){graph, options, collect_readings(graph)};
}

bool is_statistic(const Judge *judge, const Value *value)
{
    return (judge->readings[value->id] & READ_AS(STATISTIC)) || is_statistic_name(value->name);
}

Declaration declaration_of(const Judge *judge, const Value *value)
{
    const Options *options = judge->options;
    return options->declared ? options->declared(options->declared_context, value->name)
                             : (Declaration){DECLARED_NOTHING, NULL};
}

static Verdict judge_declared(const Judge *judge, const Value *value, Declaration declared)
{
    switch (declared.kind) {
    case DECLARED_PARAMETER:
        return learns("the exporter declares it a parameter");
    case DECLARED_FOLDED_PARAMETER:
        return learns(arena_printf(judge->graph->arena, "the exporter folded the parameter '%s' into it",
                                   declared.source ? declared.source : "?"));
    case DECLARED_BUFFER:
        return is_fixed("the exporter declares it a buffer");
    case DECLARED_FOLDED_CONSTANT:
        return is_fixed("the exporter folded it from no parameter");
    default:
        return judge_tensor_itself(value, judge->readings[value->id], declared.kind == DECLARED_OTHERS);
    }
}

Verdict judge_tensor(const Judge *judge, const Value *value)
{
    const Options *options = judge->options;
    if (value->is_settled)
        return is_fixed("a node has its numbers as a constant");
    if (is_statistic(judge, value))
        return is_fixed("a running statistic of BatchNormalization");
    if (matches_any(value->name, options->freeze, options->freeze_count))
        return is_fixed("--freeze");
    if (options->trainable_count > 0)
        return matches_any(value->name, options->trainable, options->trainable_count)
                   ? learns("--trainable")
                   : is_fixed("not named by --trainable");
    return judge_declared(judge, value, declaration_of(judge, value));
}
